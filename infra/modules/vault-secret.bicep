metadata description = 'The broker\'s secret in a key vault in any resource group.'

@description('Name of the vault.')
param vaultName string

@description('The broker\'s secret, 32 bytes or more. If empty, the existing one is kept.')
@secure()
param brokerSecret string

@description('Name of the secret.')
param nameInVault string

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
}

resource secret 'Microsoft.KeyVault/vaults/secrets@2025-05-01' = if (!empty(brokerSecret)) {
  parent: vault
  name: nameInVault
  properties: {
    value: brokerSecret
    contentType: 'text/plain'
    attributes: { enabled: true }
  }
}

@description('Address of the vault, for KEY_VAULT_URI.')
output uri string = vault.properties.vaultUri
