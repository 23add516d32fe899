"""The machinery of the GraphQL door. What imports a GraphQL engine is loaded with the first request, by `engine`."""
