metadata description = 'The broker\'s secret in a key vault, and the role to read secrets. Works on a vault in any resource group.'

@description('Name of the vault, which must use role-based access.')
param vaultName string

@description('Principal id of the function app\'s identity.')
param principalId string

@description('The broker\'s secret, 32 bytes or more. If empty, the existing one is kept.')
@secure()
param brokerSecret string

@description('Name of the secret.')
param nameInVault string

@description('The vault has secrets of others: the app may read the broker\'s secret only.')
param sharedVault bool

var secretsUser = '4633458b-17de-408a-b874-0445c86b69e6'

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

resource kept 'Microsoft.KeyVault/vaults/secrets@2025-05-01' existing = {
  parent: vault
  name: nameInVault
}

resource secretRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (sharedVault) {
  scope: kept
  name: guid(kept.id, principalId, secretsUser)
  dependsOn: [secret]
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
  }
}

resource role 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!sharedVault) {
  scope: vault
  name: guid(vault.id, principalId, secretsUser)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
  }
}

@description('Address of the vault, for KEY_VAULT_URI.')
output uri string = vault.properties.vaultUri
