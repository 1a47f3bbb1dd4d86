"""Stand-ins for Azure services: managed identity and Key Vault."""
