"""The NATS door: its requests and answers, the service that it says it is, the tenants that it lets connect."""
