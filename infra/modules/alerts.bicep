metadata description = 'Alerts on the broker\'s log, from infra/monitoring/alerts.json. What each means and what to do: docs/operations.md.'

import { resourceTags } from 'types.bicep'

@description('Region of the alerts.')
param location string

@description('Tags of the alerts.')
param tags resourceTags

@description('Prefix of the alerts\' names.')
param namePrefix string

@description('Name of the action group.')
param actionGroupName string

@description('Workspace with the logs.')
param workspaceId string

@description('Name of the function app in the logs.')
param appName string

@description('Name of the storage account in the logs.')
param storageName string

@description('E-mail address for alerts; if empty, they appear only in the portal.')
param email string

var alerts = loadJsonContent('../monitoring/alerts.json')

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'realtime'
    emailReceivers: [{ name: 'operator', emailAddress: email, useCommonAlertSchema: true }]
  }
}

resource rule 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for alert in alerts: {
    name: '${namePrefix}${alert.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    dependsOn: [people]
    properties: {
      displayName: alert.title
      description: '${alert.meaning} See docs/operations.md.'
      enabled: true
      severity: alert.severity
      scopes: [workspaceId]
      evaluationFrequency: alert.every
      windowSize: alert.window
      autoMitigate: true
      // The tables exist only once something has been logged.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: replace(replace(join(alert.query, '\n'), '{app}', appName), '{storage}', storageName)
            timeAggregation: 'Total'
            metricMeasureColumn: 'measured'
            operator: 'GreaterThan'
            threshold: alert.threshold
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: {
        actionGroups: empty(email) ? [] : [resourceId('Microsoft.Insights/actionGroups', actionGroupName)]
      }
    }
  }
]
