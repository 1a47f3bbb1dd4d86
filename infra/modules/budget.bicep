metadata description = 'A monthly budget for the resource group. It notifies; it does not stop anything.'

@description('Name of the budget.')
param name string

@description('Amount per month, in the currency of the subscription.')
param amount int

@description('First day of the month it was created in, such as 2026-11-01. It must not change: a preprovision hook sets it once.')
param startDate string

@description('E-mail address to notify; if empty, the owners of the resource group.')
param email string

var addresses = empty(email) ? [] : [email]

resource budget 'Microsoft.Consumption/budgets@2026-06-01' = {
  name: name
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: { startDate: startDate }
    notifications: {
      half: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 50
        thresholdType: 'Actual'
        contactEmails: addresses
        contactRoles: ['Owner']
      }
      used: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 90
        thresholdType: 'Actual'
        contactEmails: addresses
        contactRoles: ['Owner']
      }
      forecast: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 110
        thresholdType: 'Forecasted'
        contactEmails: addresses
        contactRoles: ['Owner']
      }
    }
  }
}
