"""`python -m octonet`."""

from octonet.cli import main

raise SystemExit(main())
