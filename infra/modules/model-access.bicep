metadata description = 'Who may use the model: a role on an account in any resource group, for the app and optionally a developer.'

@description('Name of the Azure OpenAI or AI Services account.')
param accountName string

@description('Principal id of the function app\'s identity.')
param principalId string

@description('Principal id of the deploying user, so that the broker works from a laptop too; empty for none.')
param developerPrincipalId string

@description('Type of that principal.')
param developerPrincipalType string

@description('The realtime documentation names Cognitive Services User; Cognitive Services OpenAI User is narrower and also has the realtime action.')
@allowed(['Cognitive Services User', 'Cognitive Services OpenAI User'])
param roleName string

var roleIds = {
  'Cognitive Services User': 'a97b65f3-24c7-4388-baec-2e87135dc908'
  'Cognitive Services OpenAI User': '5e0bd9bd-7b93-4f28-af87-19fc36ad61bd'
}
var role = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds[roleName])

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
output endpoint string = 'https://${account.properties.customSubDomainName}.openai.azure.com'
