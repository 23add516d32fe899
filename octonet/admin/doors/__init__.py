"""The office over HTTP, one file for each part of it, in the reference's paths."""
