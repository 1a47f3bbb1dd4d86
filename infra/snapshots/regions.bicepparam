// Calls at four endpoints: three accounts of the deployment's own, of which one is drained, and one of others; with every
// model, recording, the event of a call's end and a budget.
using '../main.bicep'

param environmentName = 'demo'
param location = 'eastus2'
param brokerSecret = 'made by a hook'
param modelLocations = 'swedencentral:20,francecentral'
param existingAiAccounts = 'rg-shared/oai-shared@northcentralus:3'
param drainedEndpoints = 'francecentral'
param enableTranscription = true
param enableGptLive = true
param gptLiveModelVersion = '2026-09-01'
param enableDelegationModel = true
param delegationModelVersion = '2026-09-01'
param enablePurgeProtection = true
param transcripts = 'on'
param callEndedEvents = 'on'
param alwaysReadyHttp = 1
param alertEmail = 'operator@example.com'
param monthlyBudget = 100
param budgetStartDate = '2026-11-01'
