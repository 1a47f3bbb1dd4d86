metadata description = 'The app\'s role to read secrets of a key vault in any resource group.'

@description('Name of the vault, which must use role-based access.')
param vaultName string

@description('Principal id of the function app\'s identity.')
param principalId string

@description('Name of the secret.')
param nameInVault string

@description('Names of other secrets that the app\'s settings name.')
param otherNames string[]

@description('The vault has secrets of others: the app may read those that are named and no other.')
param sharedVault bool

var names = concat([nameInVault], otherNames)
var secretsUser = '4633458b-17de-408a-b874-0445c86b69e6'

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
}

resource named 'Microsoft.KeyVault/vaults/secrets@2025-05-01' existing = [
  for name in names: {
    parent: vault
    name: name
  }
]

resource secretRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, i) in names: if (sharedVault) {
    scope: named[i]
    name: guid(named[i].id, principalId, secretsUser)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
    }
  }
]

resource role 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!sharedVault) {
  scope: vault
  name: guid(vault.id, principalId, secretsUser)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
  }
}
