Feature: Events

  @35
  Scenario: Events that came in before the listen was reached count, in their order
    Given the workflow:
      """
      do: [ first: { call: crm.read }, hear: { listen: { to: { any: [ { with: { type: a } } ], until: '(. | length) == 2' } } } ]
      """
    When the workflow runs
    And an event comes in: {type: a, data: 1}
    And an event comes in: {type: b, data: 2}
    And an event comes in: {type: a, data: 3}
    And "first" answers done
    Then it completes with [1, 3]

  @36
  Scenario: One event that fits
    Given the workflow:
      """
      do: [ hear: { listen: { to: { one: { with: { type: a } } } } } ]
      """
    When the workflow runs
    Then it listens to [{event_type: a, site: '', key: ''}]
    And an event comes in: {type: b}
    And it is taken by listens: 0
    And an event comes in: {type: a, data: {n: 1}}
    And it completes with [{n: 1}]
    And it listens to []

  @36
  Scenario: Any event at all
    Given the workflow:
      """
      do: [ hear: { listen: { to: { any: [] } } } ]
      """
    When the workflow runs
    Then it listens to [{event_type: null, site: '', key: ''}]
    And an event comes in: {type: whatever, data: 1}
    And it completes with [1]

  @36
  Scenario: All filters have their event once
    Given the workflow:
      """
      do: [ hear: { listen: { to: { all: [ { with: { type: a } }, { with: { type: b } } ] } } } ]
      """
    When the workflow runs
    And an event comes in: {type: b, data: 1}
    And an event comes in: {type: b, data: 2}
    Then it is taken by listens: 0
    And it listens to [{event_type: a}]
    And an event comes in: {type: a, data: 3}
    And it completes with [1, 3]

  @37
  Scenario: Until a condition holds
    Given the workflow:
      """
      do: [ hear: { listen: { to: { any: [], until: '(. | add) >= 10' } } } ]
      """
    When the workflow runs
    And an event comes in: {type: a, data: 4}
    Then it goes on
    And an event comes in: {type: b, data: 6}
    And it completes with [4, 6]

  @37
  Scenario: A condition that fails is the task's error
    Given the workflow:
      """
      do: [ hear: { listen: { to: { any: [], until: '.[0].a.b' } } } ]
      """
    When the workflow runs
    And an event comes in: {type: a, data: 4}
    Then it faults with {type: https://open-workflow-specification.org/spec/1.0.0/errors/expression, instance: /do/0/hear}

  @38
  Scenario: Until an event, which is not part of the output
    Given the workflow:
      """
      do: [ hear: { listen: { to: { any: [ { with: { type: a } } ], until: { all: [ { with: { type: b } }, { with: { type: c } } ] } } } } ]
      """
    When the workflow runs
    And an event comes in: {type: c}
    And an event comes in: {type: a, data: 1}
    And an event comes in: {type: b}
    Then it completes with [1]

  @39
  Scenario Outline: What fits and what does not
    Given the workflow:
      """
      do: [ hear: { listen: { to: { one: { with: <with> } } } } ]
      """
    And the input is {case: case-7, limit: 5}
    When the workflow runs
    And an event comes in: <event>
    Then it is taken by listens: <taken>

    Examples:
      | with                                                      | event                                     | taken |
      | {type: com.example.a}                                     | {type: comXexample.a}                     | 0     |
      | {type: 'com.example.*'}                                   | {type: com.example.order.placed}          | 1     |
      | {type: 'com.example.*'}                                   | {type: the.com.example.order}             | 0     |
      | {source: 'https://a.example/?x=1'}                        | {type: a, source: 'https://a.example/?x=1'} | 1     |
      | {data: '${ .n > $input.limit }'}                          | {type: a, data: {n: 6}}                   | 1     |
      | {data: '${ .n > $input.limit }'}                          | {type: a, data: {n: 5}}                   | 0     |
      | {data: '${ .n.m }'}                                       | {type: a, data: {n: 5}}                   | 0     |
      | {subject: '${ $input.case }'}                             | {type: a, subject: case-7}                | 1     |
      | {subject: '${ $input.missing }'}                          | {type: a}                                 | 0     |
      | {subject: '${ startswith("case") }'}                      | {type: a, subject: case-8}                | 1     |
      | {data: {kind: x, n: '${ . > 2 }'}}                        | {type: a, data: {kind: x, n: 3, more: 1}} | 1     |
      | {data: {kind: x, n: '${ . > 2 }'}}                        | {type: a, data: {kind: x}}                | 0     |
      | {priority: 3}                                             | {type: a, priority: 3}                    | 1     |
      | {priority: 3}                                             | {type: a, priority: '3'}                  | 0     |

  @40
  Scenario Outline: How an event is read
    Given the workflow:
      """
      do: [ hear: { listen: { to: { one: { with: { type: a } } }, read: <read> } } ]
      """
    When the workflow runs
    And an event comes in: <event>
    Then it completes with <output>

    Examples:
      | read     | event                                 | output                                                                    |
      | data     | {type: a, data: {n: 1}}               | [{n: 1}]                                                                  |
      | data     | {type: a}                             | [null]                                                                    |
      | envelope | {type: a, data: 1}                    | [{type: a, data: 1, id: '1', source: /test, specversion: '1.0'}]          |
      | raw      | {type: a, data: {n: 1}}               | ['{"n":1}']                                                               |
      | raw      | {type: a, data_base64: AAE=}          | ['AAE=']                                                                  |

  @41
  Scenario: An event is recognised by what it carries
    Given the workflow:
      """
      do:
        - hear:
            listen:
              to:
                one:
                  with: { type: paid }
                  correlate:
                    order: { from: .data.order, expect: '${ .order }' }
                    area: { from: .subject, expect: north }
      """
    And the input is {order: 7}
    When the workflow runs
    Then it listens to [{event_type: paid, site: '[".subject",".data.order"]', key: '["north",7]'}]
    And an event comes in: {type: paid, subject: north, data: {order: 8}}
    And it is taken by listens: 0
    And an event comes in: {type: paid, data: {order: 7}}
    And it is taken by listens: 0
    And an event comes in: {type: paid, subject: north, data: {order: 7.0}}
    And it completes with [{order: 7.0}]

  @41
  Scenario: Nothing expected is an error
    Given the workflow:
      """
      do: [ hear: { listen: { to: { one: { with: { type: paid }, correlate: { order: { from: .data.order, expect: '${ .ordre }' } } } } } } ]
      """
    And the input is {order: 7}
    When the workflow runs
    Then it faults with {type: https://open-workflow-specification.org/spec/1.0.0/errors/expression, title: Nothing to correlate with}

  @42
  Scenario: The first event says which ones belong together, anew for each visit
    Given the workflow:
      """
      do:
        - rooms:
            for: { in: '[1, 2]' }
            do:
              - hear:
                  listen:
                    to:
                      all:
                        - { with: { type: heat }, correlate: { room: { from: .roomid } } }
                        - { with: { type: wet }, correlate: { room: { from: .roomid } } }
      """
    When the workflow runs
    Then it listens to [{event_type: heat, key: ''}, {event_type: wet, key: ''}]
    And an event comes in: {type: heat, roomid: a, data: 1}
    And it listens to [{event_type: wet, key: '["a"]'}]
    And an event comes in: {type: wet, roomid: b, data: 2}
    And it is taken by listens: 0
    And an event comes in: {type: wet, roomid: a, data: 3}
    And it listens to [{event_type: heat, key: '["b"]'}]
    And an event comes in: {type: heat, roomid: b, data: 4}
    And it completes with [2, 4]

  @43
  Scenario: An event is taken once, and not by what begins later
    Given the workflow:
      """
      do:
        - one: { listen: { to: { one: { with: { type: a } } } } }
        - two: { listen: { to: { one: { with: { type: a } } } } }
      """
    When the workflow runs
    And an event comes in: {type: a, id: x, data: 1}
    And an event comes in: {type: a, id: x, data: 1}
    Then it is taken by listens: 0
    And it goes on
    And an event comes in: {type: a, id: y, data: 2}
    And it completes with [2]

  @43
  Scenario: Listens that wait at the same time each take it
    Given the workflow:
      """
      do: [ both: { fork: { branches: [ one: { listen: { to: { one: { with: { type: a } } } } }, two: { listen: { to: { any: [] } } } ] } } ]
      """
    When the workflow runs
    And an event comes in: {type: a, data: 1}
    Then it is taken by listens: 2
    And it completes with [[1], [1]]

  @44
  Scenario: Each event is worked on by itself, one after the other
    Given the workflow:
      """
      do:
        - hear:
            listen: { to: { any: [ { with: { type: a } } ], until: { one: { with: { type: end } } } } }
            foreach:
              item: e
              at: i
              do: [ tell: { call: crm.create, with: { n: '${ $e.n }', i: '${ $i }', room: '${ .room }' } } ]
              output: { as: '{ i: $i, answer: . }' }
              export: { as: '{ last: $output.answer }' }
        - look: { set: { heard: '${ . }', last: '${ $context.last }' } }
      """
    And the input is {room: 5}
    When the workflow runs
    And an event comes in: {type: a, data: {n: 1}}
    And an event comes in: {type: a, data: {n: 2}}
    Then it is taken by listens: 0
    And it listens to []
    And what is sent for "tell" is {arguments: {n: 1, i: 0, room: 5}}
    And an event comes in: {type: end}
    And "tell" answers x
    And what is sent for "tell" is {arguments: {n: 2, i: 1, room: 5}}
    And "tell" answers y
    And it completes with {heard: [{i: 0, answer: x}, {i: 1, answer: y}], last: y}
    And the places of calls are: /do/0/hear/foreach/do/0/tell:0.0.0, /do/0/hear/foreach/do/0/tell:0.1.0

  @45
  Scenario: A timeout ends a listen
    Given the workflow:
      """
      do: [ guarded: { try: [ hear: { listen: { to: { any: [] } }, timeout: { after: PT5S } } ], catch: { do: [ late: { set: '"late"' } ] } } ]
      """
    When the workflow runs
    And 5 seconds pass
    Then it completes with late
    And it listens to []

  @45
  Scenario: A repeated block keeps what a listen heard
    Given the workflow:
      """
      do: [ guarded: { try: [ hear: { listen: { to: { one: { with: { type: a } } } } }, get: { call: crm.read } ], catch: { retry: { delay: PT1S } } } ]
      """
    When the workflow runs
    And an event comes in: {type: a, data: 1}
    And "get" fails as overloaded
    And 1 seconds pass
    Then it waits for calls: get
    And it listens to []

  @45
  Scenario: A repeated block listens anew to what an incomplete listen had taken
    Given the workflow:
      """
      do:
        - guarded:
            try: [ hear: { listen: { to: { all: [ { with: { type: a } }, { with: { type: b } } ] } } } ]
            catch: { retry: { delay: PT1S, limit: { attempt: { duration: PT10S } } } }
      """
    When the workflow runs
    And an event comes in: {type: a, data: 1}
    And 11 seconds pass
    And an event comes in: {type: b, data: 2}
    Then it completes with [1, 2]

  @46
  Scenario: Events count as tasks
    Given the workflow:
      """
      do:
        - spin: { for: { in: '[range(9998)]' }, do: [ a: { set: '1' } ] }
        - hear: { listen: { to: { any: [], until: 'false' } } }
      """
    When the workflow runs
    And an event comes in: {type: a}
    Then it faults with {type: https://open-workflow-specification.org/spec/1.0.0/errors/runtime, instance: /do/1/hear}
