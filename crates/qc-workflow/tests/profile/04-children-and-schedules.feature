Feature: Workflows in workflows, and schedules

  @47
  Scenario: A child's input and output
    Given the workflow:
      """
      do: [ other: { run: { workflow: { namespace: shop, name: ship, version: '1.2.0', input: { id: '${ .order }' } } } } ]
      """
    And the input is {order: 7}
    When the workflow runs
    Then the child of "other" is asked for as {workflow: {namespace: shop, name: ship, version: 1.2.0}, input: {id: 7}, awaited: true, depth: 1}
    And the child of "other" starts as "run-9"
    And it goes on
    And the child of "other" completes with {sent: true}
    And it completes with {sent: true}

  @47
  Scenario: The latest version, with the task's input
    Given the workflow:
      """
      do: [ other: { run: { workflow: { namespace: shop, name: ship } } } ]
      """
    And the input is {order: 7}
    When the workflow runs
    Then the child of "other" is asked for as {workflow: {namespace: shop, name: ship, version: null}, input: {order: 7}}

  @48
  Scenario: A child that is not awaited lives on
    Given the workflow:
      """
      do:
        - other: { run: { workflow: { namespace: shop, name: ship }, await: false } }
        - get: { call: crm.read }
      """
    When the workflow runs
    And the child of "other" starts as "run-9"
    Then it waits for calls: get
    And the run is cancelled
    And children are cancelled: none
    And "get" answers 1
    And it is cancelled

  @48
  Scenario: The output is the child's run
    Given the workflow:
      """
      do: [ other: { run: { workflow: { namespace: shop, name: ship }, await: false } } ]
      """
    When the workflow runs
    And the child of "other" starts as "run-9"
    Then it completes with run-9

  @49
  Scenario: The error of a child can be caught
    Given the workflow:
      """
      do:
        - guarded:
            try: [ other: { run: { workflow: { namespace: shop, name: ship } } } ]
            catch: { as: e, do: [ look: { set: '${ $e }' } ] }
      """
    When the workflow runs
    And the child of "other" faults with {type: 'https://example.com/sold', status: 409, title: Sold, detail: all gone, instance: /do/3/x}
    Then it completes with {type: 'https://example.com/sold', status: 409, title: Sold, detail: all gone, instance: /do/0/guarded/try/0/other}

  @49
  Scenario: A child that is not awaited and cannot be started
    Given the workflow:
      """
      do: [ other: { run: { workflow: { namespace: shop, name: ship }, await: false } } ]
      """
    When the workflow runs
    And the child of "other" faults with {type: 'https://open-workflow-specification.org/spec/1.0.0/errors/configuration', status: 404, title: No such workflow}
    Then it faults with {status: 404, title: No such workflow}

  @50
  Scenario: A cancelled child
    Given the workflow:
      """
      do: [ other: { run: { workflow: { namespace: shop, name: ship } } } ]
      """
    When the workflow runs
    And the child of "other" is cancelled
    Then it faults with {type: https://open-workflow-specification.org/spec/1.0.0/errors/runtime, detail: 'it was cancelled: enough'}

  @51
  Scenario: A child is cancelled with the task that waits for it, and its end is waited for
    Given the workflow:
      """
      do: [ guarded: { try: [ other: { run: { workflow: { namespace: shop, name: ship } }, timeout: { after: PT5S } } ], catch: { do: [ late: { set: '"late"' } ] } } ]
      """
    When the workflow runs
    And 5 seconds pass
    Then children are cancelled: /do/0/guarded/try/0/other:0.0
    And it goes on
    And the child of "other" is cancelled
    And it completes with late

  @51
  Scenario: A child is cancelled with the run
    Given the workflow:
      """
      do: [ other: { run: { workflow: { namespace: shop, name: ship } } } ]
      """
    When the workflow runs
    And the run is cancelled
    Then it goes on
    And the child of "other" completes with {}
    And it is cancelled

  @52
  Scenario: A further attempt continues the same child
    Given the workflow:
      """
      do:
        - guarded:
            try: [ done: { run: { workflow: { namespace: shop, name: pay } } }, other: { run: { workflow: { namespace: shop, name: ship } } } ]
            catch: { retry: { delay: PT1S } }
      """
    When the workflow runs
    And the child of "done" completes with paid
    And the child of "other" faults with {type: 'https://example.com/busy', status: 503}
    And 1 seconds pass
    Then the child of "other" is asked for as {attempt: 2, key: 'qc:run-0:/do/0/guarded/try/1/other:0.0'}
    And the child of "other" completes with fine
    And it completes with fine

  @52
  Scenario: A child that was taken back before anybody saw it has had no attempt
    Given the workflow:
      """
      do:
        - guarded:
            try:
              - both:
                  fork:
                    branches:
                      - other: { run: { workflow: { namespace: shop, name: ship } } }
                      - early: { if: 'now < 1795358401', raise: { error: { type: 'https://example.com/early', status: 500 } } }
            catch: { retry: { delay: PT1S } }
      """
    When the workflow runs
    And 1 seconds pass
    Then the child of "other" is asked for as {attempt: 1}

  @53
  Scenario: Too deep
    Given the workflow:
      """
      do: [ other: { run: { workflow: { namespace: shop, name: ship } } } ]
      """
    And it stands below other workflows: 16
    When the workflow runs
    Then it faults with {type: https://open-workflow-specification.org/spec/1.0.0/errors/runtime, title: Workflows run workflows too deeply}

  @54
  Scenario: A schedule says one thing
    Given the workflow:
      """
      schedule: { every: PT1H, cron: '0 0 * * *' }
      do: [ a: { set: '1' } ]
      """
    Then it is refused with QC-Q016

  @54
  Scenario: An interval is not too short
    Given the workflow:
      """
      schedule: { after: { milliseconds: 10 } }
      do: [ a: { set: '1' } ]
      """
    Then it is refused with QC-W024

  @55
  Scenario: Either kind of day counts
    Given the workflow:
      """
      schedule: { cron: '30 6 L * MON#1' }
      do: [ a: { set: '1' } ]
      """
    Then by the clocks of "UTC" after "2026-11-22T00:00:00Z" until "2027-01-10T00:00:00Z": 2026-11-30T06:30:00Z, 2026-12-07T06:30:00Z, 2026-12-31T06:30:00Z, 2027-01-04T06:30:00Z

  @55
  Scenario: A pattern that never comes true
    Given the workflow:
      """
      schedule: { cron: '0 0 30 2 *' }
      do: [ a: { set: '1' } ]
      """
    Then it is refused with QC-W024

  @56
  Scenario: Clocks are put forward and back
    Given the workflow:
      """
      schedule: { cron: '15,45 2 * * *' }
      do: [ a: { set: '1' } ]
      """
    Then by the clocks of "America/New_York" after "2027-03-14T00:00:00Z" until "2027-03-16T00:00:00Z": 2027-03-14T07:00:00Z, 2027-03-15T06:15:00Z, 2027-03-15T06:45:00Z
    And by the clocks of "America/New_York" after "2026-11-01T00:00:00Z" until "2026-11-02T12:00:00Z": 2026-11-01T07:15:00Z, 2026-11-01T07:45:00Z, 2026-11-02T07:15:00Z, 2026-11-02T07:45:00Z
    And by the clocks of "Europe/Berlin" after "2026-10-24T12:00:00Z" until "2026-10-25T12:00:00Z": 2026-10-25T00:15:00Z, 2026-10-25T00:45:00Z

  @57
  Scenario: Events begin a run
    Given the workflow:
      """
      schedule:
        on:
          all:
            - { with: { type: a }, correlate: { k: { from: .subject } } }
            - { with: { type: b }, correlate: { k: { from: .subject } } }
        read: envelope
      do: [ a: { set: '1' } ]
      """
    Then an event begins a run with {type: a, subject: x} => null
    And an event begins a run with {type: a, subject: x, data: 2} => null
    And an event begins a run with {type: b, subject: x} => [{type: a, subject: x}, {type: b, subject: x}]

  @57
  Scenario: A constant is expected of the events that begin a run
    Given the workflow:
      """
      schedule: { on: { one: { with: { type: a }, correlate: { area: { from: .subject, expect: north } } } } }
      do: [ a: { set: '1' } ]
      """
    Then an event begins a run with {type: a, subject: north, data: 1} => [1]
    And no run begins with {type: a, subject: south, data: 1}
