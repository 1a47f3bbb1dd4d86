metadata description = 'The identity that the function app uses for everything, made before the app so that its roles have time to take hold.'

@description('Name of the user-assigned managed identity.')
param name string

@description('Region of the identity.')
param location string

@description('Tags of the identity.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Resource id, as the function app takes it.')
output id string = identity.id

@description('Principal id, as role assignments take it.')
output principalId string = identity.properties.principalId

@description('Client id, as azure-identity takes it in AZURE_CLIENT_ID.')
output clientId string = identity.properties.clientId
