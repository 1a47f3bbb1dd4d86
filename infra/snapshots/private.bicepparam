// A closed company's: an account and a vault of others, a network with private endpoints, the firewall, a site of its own
// that calls the app directly, locks and two zones.
using '../main.bicep'

param environmentName = 'demo'
param location = 'swedencentral'
param brokerSecret = 'made by a hook'
param principalId = '00000000-0000-0000-0000-0000000000aa'
param tagLine = 'team=voice,Microsoft.Storage/storageAccounts:classification=personal'
param existingAiAccountName = 'oai-shared'
param existingAiAccountResourceGroup = 'rg-shared'
param modelLocation = 'swedencentral'
param enableModelDeployment = false
param modelDeploymentName = 'talk'
param existingKeyVaultName = 'kv-shared'
param existingKeyVaultResourceGroup = 'rg-shared'
param enableStaticWebApp = false
param existingStaticWebAppName = 'stapp-shop'
param existingStaticWebAppResourceGroup = 'rg-shop'
param enableLinkedBackend = false
param callerAuth = 'entra'
param entraTenantId = '00000000-0000-0000-0000-0000000000bb'
param entraAudience = '00000000-0000-0000-0000-0000000000cc'
param entraRequiredScope = 'access_as_user'
param enableVirtualNetwork = true
param enablePrivateEndpoints = true
param firewallPolicyName = 'afwp-hub'
param firewallPolicyResourceGroup = 'rg-hub'
param enableZoneRedundancy = true
param enableDeleteLocks = true
param enableSiteDiagnostics = true
param alertEmail = 'operator@example.com'
