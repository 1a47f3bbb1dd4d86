// What `azd up` deploys where nothing is set but the environment's name and region.
using '../main.bicep'

param environmentName = 'demo'
param location = 'eastus2'
param brokerSecret = 'made by a hook'
