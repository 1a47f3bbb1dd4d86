metadata description = 'The app\'s role to read secrets of a key vault in any resource group.'

@description('Name of the vault, which must use role-based access.')
param vaultName string

@description('Principal id of the function app\'s identity.')
param principalId string

@description('Name of the secret.')
param nameInVault string

@description('The vault has secrets of others: the app may read the broker\'s secret only.')
param sharedVault bool

var secretsUser = '4633458b-17de-408a-b874-0445c86b69e6'

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
}

resource kept 'Microsoft.KeyVault/vaults/secrets@2025-05-01' existing = {
  parent: vault
  name: nameInVault
}

resource secretRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (sharedVault) {
  scope: kept
  name: guid(kept.id, principalId, secretsUser)
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
