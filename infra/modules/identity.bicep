metadata description = 'The identity that the function app uses for everything, created before the app so that its roles have time to take effect.'

import { resourceTags, tagsByResourceType } from 'types.bicep'

@description('Name of the user-assigned managed identity.')
param name string

@description('Region of the identity.')
param location string

@description('Tags of the identity.')
param tags resourceTags

@description('Tags in addition for the resources of one type, by type.')
param typeTags tagsByResourceType

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: union(tags, typeTags[?'Microsoft.ManagedIdentity/userAssignedIdentities'] ?? {})
}

@description('Principal id, for role assignments.')
output principalId string = identity.properties.principalId

@description('Client id, for AZURE_CLIENT_ID.')
output clientId string = identity.properties.clientId
