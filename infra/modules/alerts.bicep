metadata description = 'Alerts on what the broker logs, from infra/monitoring/alerts.json. What each means and what to do: docs/operations.md.'

@description('Region of the alerts.')
param location string

@description('Tags of the alerts.')
param tags object

@description('Start of the alerts\' names.')
param namePrefix string

@description('Name of the action group.')
param actionGroupName string

@description('Workspace that the logs are in.')
param workspaceId string

@description('Name of the function app, as it stands in the logs.')
param appName string

@description('Name of the storage account, as it stands in the logs.')
param storageName string

@description('Address that alerts are sent to; empty: they are seen in the portal only.')
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
      // The tables are there only once something was logged.
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
