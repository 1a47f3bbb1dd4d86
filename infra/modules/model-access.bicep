metadata description = 'Who may use the model: a role on an account in any resource group, for the app and optionally a developer.'

@description('Name of the Azure OpenAI or AI Services account.')
param accountName string

@description('Domain of the accounts of this cloud: openai.azure.com.')
param domain string

@description('Principal id of the function app\'s identity.')
param principalId string

@description('Principal id of the deploying user, so that the broker works from a laptop too; empty for none.')
param developerPrincipalId string

@description('Type of that principal.')
param developerPrincipalType string

@description('Role of both. Empty: one that cannot list keys on an existing account; docs/deploy.md compares them.')
@allowed([
  ''
  'Cognitive Services OpenAI User'
  'Cognitive Services Data Contributor (Preview)'
  'Cognitive Services User'
])
param roleName string

@description('The account was not created by this deployment, so it may accept keys and hold data of others.')
param existingAccount bool

var roleIds = {
  'Cognitive Services OpenAI User': '5e0bd9bd-7b93-4f28-af87-19fc36ad61bd'
  'Cognitive Services Data Contributor (Preview)': '19c28022-e58e-450d-a464-0b2a53034789'
  'Cognitive Services User': 'a97b65f3-24c7-4388-baec-2e87135dc908'
}
var defaultRole = existingAccount ? 'Cognitive Services OpenAI User' : 'Cognitive Services User'
var chosenRole = empty(roleName) ? defaultRole : roleName
var role = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds[chosenRole])

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' existing = {
  name: accountName
}

resource app 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, principalId, role)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: role
  }
}

resource developer 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(developerPrincipalId)) {
  scope: account
  name: guid(account.id, developerPrincipalId, role)
  properties: {
    principalId: developerPrincipalId
    principalType: developerPrincipalType
    roleDefinitionId: role
  }
}

@description('The model\'s endpoint, for REALTIME_ENDPOINT.')
output endpoint string = 'https://${account.properties.customSubDomainName}.${domain}'
