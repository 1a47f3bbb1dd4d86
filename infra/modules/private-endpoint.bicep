metadata description = 'One private endpoint, with a private DNS zone that is linked to the network, or in one that exists.'

import { resourceTags, tagsByResourceType } from 'types.bicep'

@description('Name of the private endpoint.')
param name string

@description('Region of the endpoint.')
param location string

@description('Tags of the endpoint and its zone.')
param tags resourceTags

@description('Tags in addition for the resources of one type, by type.')
param typeTags tagsByResourceType

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

@description('Empty: the zone is created. The resource id of a resource group: the zone is there, and linked. none: a policy of the network\'s owners adds the record.')
param dnsZones string

var createZone = empty(dnsZones)
var foundZoneId = '${dnsZones}/providers/Microsoft.Network/privateDnsZones/${zoneName}'

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = if (createZone) {
  name: zoneName
  location: 'global'
  tags: union(tags, typeTags[?'Microsoft.Network/privateDnsZones'] ?? {})
}

resource resolves 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = if (createZone) {
  parent: zone
  name: 'to-network'
  location: 'global'
  tags: union(tags, typeTags[?'Microsoft.Network/privateDnsZones/virtualNetworkLinks'] ?? {})
  properties: {
    registrationEnabled: false
    virtualNetwork: { id: networkId }
  }
}

resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = {
  name: name
  location: location
  tags: union(tags, typeTags[?'Microsoft.Network/privateEndpoints'] ?? {})
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: [
      { name: groupId, properties: { privateLinkServiceId: targetId, groupIds: [groupId] } }
    ]
  }
}

resource record 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = if (dnsZones != 'none') {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [{ name: groupId, properties: { privateDnsZoneId: createZone ? zone.id : foundZoneId } }]
  }
}
