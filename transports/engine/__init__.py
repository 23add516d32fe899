"""The machinery that the doors share: hosting, rendering, coercion, description, pushing."""
