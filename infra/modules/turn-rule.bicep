metadata description = 'Port 3478 from browsers to the media relays of the regions of the model. Can be deployed alone: az deployment group create -f infra/modules/turn-rule.bicep -p modelRegions=eastus2 (docs/firewall.md).'

import { resourceTags, tagsByResourceType } from 'types.bicep'

@description('Regions of the Azure OpenAI accounts, comma-separated, as in their properties: eastus2,swedencentral.')
param modelRegions string

@description('Region of the network security group.')
param location string = resourceGroup().location

@description('Tags of the network security group.')
param tags resourceTags = {}

@description('Tags in addition for the resources of one type, by type.')
param typeTags tagsByResourceType = {}

@description('Name of the network security group to create, for subnets with browsers; empty for none.')
param securityGroupName string = 'nsg-realtime-clients'

@description('Name of an existing firewall policy in this resource group; empty for none.')
param firewallPolicyName string = ''

@description('Name of the rule collection group.')
param ruleCollectionGroupName string = 'rcg-realtime-turn'

@description('Priority of the rule collection group: 100 to 65000, unique in the policy.')
@minValue(100)
@maxValue(65000)
param ruleCollectionGroupPriority int = 3478

@description('Networks with browsers, as the firewall sees them.')
param clientAddresses string[] = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16']

// Service tags are named after regions, but for these (learn.microsoft.com, Virtual network service tags). A name
// that does not exist fails the whole deployment.
var tagNames = {
  brazilsoutheast: 'brazilse'
  chilecentral: 'chilec'
  francecentral: 'centralfrance'
  francesouth: 'southfrance'
  germanynorth: 'germanyn'
  germanywestcentral: 'germanywc'
  norwayeast: 'norwaye'
  norwaywest: 'norwayw'
  switzerlandnorth: 'switzerlandn'
  switzerlandwest: 'switzerlandw'
}
var regions = split(toLower(replace(modelRegions, ' ', '')), ',')
// One region of several accounts needs one rule.
var distinctRegions = union(regions, regions)
var relays = [for region in distinctRegions: 'AzureCloud.${tagNames[?region] ?? region}']
var first = [
  { name: 'udp-3478', protocol: 'Udp', port: '3478', to: relays[0], why: 'Media relay (TURN over UDP): the quick way.' }
  {
    name: 'tcp-3478'
    protocol: 'Tcp'
    port: '3478'
    to: relays[0]
    why: 'Media relay (TURN over TCP): where UDP is closed.'
  }
  {
    name: 'tcp-443'
    protocol: 'Tcp'
    port: '443'
    to: 'AzureCloud'
    why: 'The page, its API and the endpoint of the model.'
  }
]
// A rule names one service tag.
var furtherUdp = [
  for (region, i) in skip(distinctRegions, 1): {
    name: 'udp-3478-${region}'
    protocol: 'Udp'
    port: '3478'
    to: relays[i + 1]
    why: 'Media relay in a further region.'
  }
]
var furtherTcp = [
  for (region, i) in skip(distinctRegions, 1): {
    name: 'tcp-3478-${region}'
    protocol: 'Tcp'
    port: '3478'
    to: relays[i + 1]
    why: 'Media relay in a further region.'
  }
]
var ways = concat(first, furtherUdp, furtherTcp)

// A security rule names one protocol, so UDP and TCP are two rules.
resource clients 'Microsoft.Network/networkSecurityGroups@2025-05-01' = if (!empty(securityGroupName)) {
  name: empty(securityGroupName) ? 'unused' : securityGroupName
  location: location
  tags: union(tags, typeTags[?'Microsoft.Network/networkSecurityGroups'] ?? {})
  properties: {
    securityRules: [
      for (way, i) in ways: {
        name: 'allow-realtime-${way.name}'
        properties: {
          description: way.why
          access: 'Allow'
          direction: 'Outbound'
          priority: 200 + 10 * i
          protocol: way.protocol
          sourceAddressPrefix: 'VirtualNetwork'
          sourcePortRange: '*'
          destinationAddressPrefix: way.to
          destinationPortRange: way.port
        }
      }
    ]
  }
}

resource policy 'Microsoft.Network/firewallPolicies@2025-05-01' existing = if (!empty(firewallPolicyName)) {
  name: empty(firewallPolicyName) ? 'unused' : firewallPolicyName
}

resource group 'Microsoft.Network/firewallPolicies/ruleCollectionGroups@2025-05-01' = if (!empty(firewallPolicyName)) {
  parent: policy
  name: ruleCollectionGroupName
  properties: {
    priority: ruleCollectionGroupPriority
    ruleCollections: [
      {
        ruleCollectionType: 'FirewallPolicyFilterRuleCollection'
        name: 'allow-realtime-turn'
        priority: 100
        action: { type: 'Allow' }
        rules: [
          {
            ruleType: 'NetworkRule'
            name: 'turn-3478'
            description: 'Audio between browsers and the media relays of the model\'s region.'
            ipProtocols: ['UDP', 'TCP']
            sourceAddresses: clientAddresses
            destinationAddresses: relays
            destinationPorts: ['3478']
          }
        ]
      }
    ]
  }
}
