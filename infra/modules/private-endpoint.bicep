metadata description = 'One private endpoint with its private DNS zone, linked to the network.'

import { resourceTags } from 'types.bicep'

@description('Name of the private endpoint.')
param name string

@description('Region of the endpoint.')
param location string

@description('Tags of the endpoint and its zone.')
param tags resourceTags

@description('The target resource.')
param targetId string

@description('Subresource: blob, queue, table, vault.')
param groupId string

@description('DNS zone: privatelink.blob.core.windows.net and so on.')
param zoneName string

@description('Subnet of the endpoint.')
param subnetId string

@description('Network that resolves the zone.')
param networkId string

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: zoneName
  location: 'global'
  tags: tags
}

resource resolves 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = {
  parent: zone
  name: 'to-network'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: { id: networkId }
  }
}

resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: [
      { name: groupId, properties: { privateLinkServiceId: targetId, groupIds: [groupId] } }
    ]
  }
}

resource record 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [{ name: groupId, properties: { privateDnsZoneId: zone.id } }]
  }
}
