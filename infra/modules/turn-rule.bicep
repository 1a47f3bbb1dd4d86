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

@description('Create a network security group for subnets with browsers.')
param enableSecurityGroup bool = true

@description('Name of that group.')
param securityGroupName string = 'nsg-realtime-clients'

@description('Deny all other traffic to the internet in that group, which allows it otherwise. TCP 443 stays open to Azure alone.')
param denyInternet bool = false

@description('Resource id of an existing subnet to attach the group to, in the group\'s region. A group that it has is replaced.')
param subnetId string = ''

@description('Name of an existing firewall policy in this resource group; empty for none.')
param firewallPolicyName string = ''

@description('Name of the rule collection group.')
param ruleCollectionGroupName string = 'rcg-realtime-turn'

@description('Priority of the rule collection group: 100 to 65000, unique in the policy.')
@minValue(100)
@maxValue(65000)
param ruleCollectionGroupPriority int = 3478

@description('Networks with browsers, as the firewall sees them, comma-separated.')
param clientAddresses string = '10.0.0.0/8,172.16.0.0/12,192.168.0.0/16'

@description('Have the firewall allow HTTPS to webHosts and to sign-in, by name. false: port 3478 alone.')
param allowWeb bool = true

@description('Hosts that the page needs over HTTPS, comma-separated: its own, and for token mode that of the model.')
param webHosts string = '*.azurestaticapps.net'

@description('Hosts of sign-in besides that of Entra ID, comma-separated.')
param signInHosts string = '*.azurestaticapps.net,aadcdn.msauth.net,aadcdn.msftauth.net,logincdn.msauth.net,login.live.com'

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
var signIn = [
  { name: 'tcp-443-sign-in', protocol: 'Tcp', port: '443', to: 'AzureActiveDirectory', why: 'Sign-in.' }
  {
    name: 'tcp-443-sign-in-pages'
    protocol: 'Tcp'
    port: '443'
    to: 'AzureFrontDoor.FirstParty'
    why: 'What the pages of sign-in load.'
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
var ways = concat(first, furtherUdp, furtherTcp, signIn)
var allowed = [
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
var denied = {
  name: 'deny-internet-out'
  properties: {
    description: 'Everything else. Without it the rules above allow what is allowed anyway.'
    access: 'Deny'
    direction: 'Outbound'
    priority: 4096
    protocol: '*'
    sourceAddressPrefix: '*'
    sourcePortRange: '*'
    destinationAddressPrefix: 'Internet'
    destinationPortRange: '*'
  }
}

// A security rule names one protocol, so UDP and TCP are two rules.
resource clients 'Microsoft.Network/networkSecurityGroups@2025-05-01' = if (enableSecurityGroup) {
  name: securityGroupName
  location: location
  tags: union(tags, typeTags[?'Microsoft.Network/networkSecurityGroups'] ?? {})
  properties: { securityRules: denyInternet ? concat(allowed, [denied]) : allowed }
}

// The parts of the subnet's id: its subscription, group, network and name. Azure looks at scopes and names of what is
// not deployed, too.
var noSubnet = '${resourceGroup().id}/providers/Microsoft.Network/virtualNetworks/none/subnets/none'
var subnet = split(empty(subnetId) ? noSubnet : subnetId, '/')

resource clientNetwork 'Microsoft.Network/virtualNetworks@2025-05-01' existing = if (!empty(subnetId)) {
  scope: resourceGroup(subnet[2], subnet[4])
  name: subnet[8]
}

resource clientSubnet 'Microsoft.Network/virtualNetworks/subnets@2025-05-01' existing = if (!empty(subnetId)) {
  parent: clientNetwork
  name: subnet[10]
}

module attached 'subnet-security-group.bicep' = if (enableSecurityGroup && !empty(subnetId)) {
  scope: resourceGroup(subnet[2], subnet[4])
  params: {
    networkName: subnet[8]
    subnetName: subnet[10]
    securityGroupId: clients.id
    current: clientSubnet!.properties
  }
}

var clientNetworks = split(replace(clientAddresses, ' ', ''), ',')
var relayRules = {
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
      sourceAddresses: clientNetworks
      destinationAddresses: relays
      destinationPorts: ['3478']
    }
  ]
}
var pageHosts = split(replace(webHosts, ' ', ''), ',')
var loginHost = split(environment().authentication.loginEndpoint, '/')[2]
// Azure Firewall takes no service tags for names, and 443 to all of Azure would be much: these are rules by name.
var webRules = {
  ruleCollectionType: 'FirewallPolicyFilterRuleCollection'
  name: 'allow-realtime-web'
  priority: 200
  action: { type: 'Allow' }
  rules: [
    {
      ruleType: 'ApplicationRule'
      name: 'page-443'
      description: 'The page, its API and the endpoint of the model.'
      protocols: [{ protocolType: 'Https', port: 443 }]
      sourceAddresses: clientNetworks
      targetFqdns: union(pageHosts, pageHosts)
    }
    {
      ruleType: 'ApplicationRule'
      name: 'sign-in-443'
      description: 'Sign-in.'
      protocols: [{ protocolType: 'Https', port: 443 }]
      sourceAddresses: clientNetworks
      targetFqdns: concat([loginHost], split(replace(signInHosts, ' ', ''), ','))
    }
  ]
}

resource policy 'Microsoft.Network/firewallPolicies@2025-05-01' existing = if (!empty(firewallPolicyName)) {
  name: empty(firewallPolicyName) ? 'unused' : firewallPolicyName
}

resource group 'Microsoft.Network/firewallPolicies/ruleCollectionGroups@2025-05-01' = if (!empty(firewallPolicyName)) {
  parent: policy
  name: ruleCollectionGroupName
  properties: {
    priority: ruleCollectionGroupPriority
    ruleCollections: allowWeb ? [relayRules, webRules] : [relayRules]
  }
}
