Feature: Expressions and data

  @1
  Scenario: An expression gives exactly one value
    Given the workflow:
      """
      do: [ several: { set: '${ .[] }' } ]
      """
    And the input is [1, 2]
    When the workflow runs
    Then it faults with {type: https://open-workflow-specification.org/spec/1.0.0/errors/expression, status: 400}

  @2
  Scenario: Part of a text is no expression
    Given the workflow:
      """
      do: [ greet: { set: { text: 'Hello ${ .name }' } } ]
      """
    Then it is refused with QC-E008

  @2
  Scenario: Data that come in are never evaluated
    Given the workflow:
      """
      do: [ pass: { set: { text: '${ .text }' } } ]
      """
    And the input is {text: '${ 1 + 1 }'}
    When the workflow runs
    Then it completes with {text: '${ 1 + 1 }'}

  @3
  Scenario: An inner variable hides an outer one of its name
    Given the workflow:
      """
      do:
        - outer:
            for: { in: '[1, 2]' }
            do:
              - inner: { for: { in: '["a"]' }, do: [ take: { set: { item: '${ $item }', seen: '${ .seen + [$item] }' } } ] }
              - back: { set: { item: '${ $item }', seen: '${ .seen }' } }
      """
    When the workflow runs
    Then it completes with {item: 2, seen: [a, a]}

  @4
  Scenario: Now is the time of the step
    Given the workflow:
      """
      do: [ pause: { wait: PT10S }, look: { set: { at: '${ now }' } } ]
      """
    When the workflow runs
    And 10 seconds pass
    Then it completes with {at: 1795358410}

  @5
  Scenario: A secret is a placeholder, and must be declared
    Given the workflow:
      """
      do: [ get: { call: crm.read, with: { key: '${ $secrets.key }' } } ]
      """
    Then it is refused with QC-W013

  @6
  Scenario: A length of time may be computed
    Given the workflow:
      """
      do: [ pause: { wait: '${ .pause }' } ]
      """
    And the input is {pause: {minutes: 2}}
    When the workflow runs
    Then it waits until seconds have passed: 120

  @6
  Scenario: Months are refused
    Given the workflow:
      """
      do: [ pause: { wait: P1M } ]
      """
    Then it is refused with QC-W011

  @7
  Scenario: The input's schema is checked before it is formed, the output's after
    Given the workflow:
      """
      input: { schema: { document: { type: object, required: [a] } }, from: .a }
      output: { as: '{ n: . }', schema: { document: { type: object, required: [n], properties: { n: { type: integer } } } } }
      do: [ pass: { set: '${ . }' } ]
      """
    And the input is {a: text}
    When the workflow runs
    Then it faults with {type: https://open-workflow-specification.org/spec/1.0.0/errors/validation, instance: /}

  @7
  Scenario: What a task exports is checked after it is formed
    Given the workflow:
      """
      do: [ pass: { set: { a: 1 }, export: { as: '{ b: .a }', schema: { document: { required: [a] } } } } ]
      """
    When the workflow runs
    Then it faults with {type: https://open-workflow-specification.org/spec/1.0.0/errors/validation, instance: /do/0/pass}

  @8
  Scenario: The context begins as the input and is replaced by what is exported
    Given the workflow:
      """
      do:
        - one: { set: { seen: '${ $context }' }, export: { as: '{ b: .seen.a }' } }
        - two: { set: '${ $context }' }
      """
    And the input is {a: 1}
    When the workflow runs
    Then it completes with {b: 1}

  @9
  Scenario: A task whose condition does not hold passes its input on, and its then does not apply
    Given the workflow:
      """
      do:
        - not: { if: 'false', set: { a: 2 }, then: end }
        - after: { set: { got: '${ .a }' } }
      """
    And the input is {a: 1}
    When the workflow runs
    Then it completes with {got: 1}
    And skipped are: not

  @10
  Scenario: Set does not merge
    Given the workflow:
      """
      do: [ one: { set: { b: 1 } } ]
      """
    And the input is {a: 1}
    When the workflow runs
    Then it completes with {b: 1}

  @11
  Scenario: The output of an iteration is the input of the next
    Given the workflow:
      """
      do: [ sum: { for: { each: n, in: '[1, 2, 3, 4]' }, while: '$n < 4', do: [ add: { set: '${ . + $n }' } ] } ]
      """
    And the input is 10
    When the workflow runs
    Then it completes with 16

  @11
  Scenario: A loop over no list
    Given the workflow:
      """
      do: [ sum: { for: { in: '.a' }, do: [ add: { set: '1' } ] } ]
      """
    And the input is {a: text}
    When the workflow runs
    Then it faults with {type: https://open-workflow-specification.org/spec/1.0.0/errors/expression, title: Not a list}

  @12
  Scenario: Branches have contexts of their own and outputs in their order
    Given the workflow:
      """
      do:
        - both:
            fork:
              branches:
                - one: { do: [ get: { call: crm.read }, out: { set: { one: '${ . }' }, export: { as: '{ lost: 1 }' } } ] }
                - two: { set: { two: '${ $context.a }' } }
        - look: { set: { both: '${ . }', context: '${ $context }' } }
      """
    And the input is {a: 1}
    When the workflow runs
    And "get" answers 7
    Then it completes with {both: [{one: 7}, {two: 1}], context: {a: 1}}

  @12
  Scenario: The first branch to complete wins, and failing ones drop out
    Given the workflow:
      """
      do: [ race: { fork: { compete: true, branches: [ a: { call: crm.read }, b: { call: crm.read } ] } } ]
      """
    When the workflow runs
    And "a" fails as not_found
    And "b" answers won
    Then it completes with won

  @13
  Scenario: A function sees its arguments and nothing else, and has places of its own
    Given the workflow:
      """
      use: { functions: { getPet: { do: [ read: { call: crm.read, with: { id: '${ .id }' } } ] } } }
      do: [ twice: { for: { in: '[5, 6]' }, do: [ one: { call: getPet, with: { id: '${ $item }' } } ] } ]
      """
    When the workflow runs
    Then what is sent for "read" is {arguments: {id: 5}}
    And "read" answers 1
    And the places of calls are: /do/0/twice/do/0/one/call/getPet/do/0/read:0.0.0.0, /do/0/twice/do/0/one/call/getPet/do/0/read:0.1.0.0

  @14
  Scenario: An event is complete, and those of a loop have ids of their own
    Given the workflow:
      """
      do:
        - each:
            for: { in: '[1, 2]' }
            do: [ tell: { emit: { event: { with: { type: com.example.n, subject: '${ null }', data: { n: '${ $item }' } } } } } ]
      """
    When the workflow runs
    Then the emitted events are these:
      """
      - { specversion: '1.0', id: 'run-0:/do/0/each/do/0/tell:0.0.0', source: /test/demo, type: com.example.n, time: '2026-11-22T14:40:00.000Z', datacontenttype: application/json, data: { n: 1 } }
      - { specversion: '1.0', id: 'run-0:/do/0/each/do/0/tell:0.1.0', source: /test/demo, type: com.example.n, time: '2026-11-22T14:40:00.000Z', datacontenttype: application/json, data: { n: 2 } }
      """

  @14
  Scenario: What is no CloudEvent is not emitted
    Given the workflow:
      """
      do: [ tell: { emit: { event: { with: { type: a, time: yesterday } } } } ]
      """
    When the workflow runs
    Then it faults with {type: https://open-workflow-specification.org/spec/1.0.0/errors/expression, detail: '`time` is no RFC 3339 moment (at `/time`)'}

  @15
  Scenario: A variable of an address is encoded
    Given the workflow:
      """
      do: [ get: { call: http, with: { method: get, endpoint: 'https://x.example/pets/{name}' } } ]
      """
    And the input is {name: a b/c}
    When the workflow runs
    Then the address for "get" is "https://x.example/pets/a%20b%2Fc"

  @15
  Scenario: An absent variable is an error
    Given the workflow:
      """
      do: [ get: { call: http, with: { method: get, endpoint: 'https://x.example/pets/{name}' } } ]
      """
    When the workflow runs
    Then it faults with {status: 400}

  @16
  Scenario: Query parameters are texts, and null leaves one out
    Given the workflow:
      """
      do: [ get: { call: http, with: { method: get, endpoint: 'https://x.example/', query: { a: [1, true], b: '${ null }', c: x } } } ]
      """
    When the workflow runs
    Then what is sent for "get" is {query: {a: ['1', 'true'], c: x}}
