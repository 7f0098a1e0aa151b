%%% The push: a post reaches everybody who may see its author's presence, at once, and nobody else.
-module(push_SUITE).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    the_stanza_of_the_contract/1,
    an_element_is_pushed_as_published/1,
    every_resource_gets_it_once/1,
    the_authors_other_resources_get_it/1,
    edits_and_retractions_are_pushed/1,
    a_purge_retracts_each_post/1,
    posts_of_an_author_keep_their_order/1,
    the_answer_does_not_wait/1,
    subscription_from_is_enough/1,
    shared_roster_groups_count/1,
    mix_channels_do_not_count/1,
    who_shares_no_presence_gets_nothing/1,
    who_was_removed_gets_nothing/1,
    who_is_blocked_gets_nothing/1,
    who_blocks_gets_nothing/1,
    who_sent_no_presence_gets_nothing/1,
    a_blocked_device_gets_nothing/1,
    what_was_handed_over_is_sent_before_a_stop/1,
    no_error_was_logged/1
]).
%% Hook on the server under test.
-export([add_channel/2]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

all() ->
    [{group, push}, {group, nobody_else}, no_error_was_logged].

groups() ->
    [
        {push, [parallel], [
            the_stanza_of_the_contract,
            an_element_is_pushed_as_published,
            every_resource_gets_it_once,
            the_authors_other_resources_get_it,
            edits_and_retractions_are_pushed,
            a_purge_retracts_each_post,
            posts_of_an_author_keep_their_order,
            subscription_from_is_enough,
            shared_roster_groups_count
        ]},
        {nobody_else, [], [
            who_shares_no_presence_gets_nothing,
            who_was_removed_gets_nothing,
            who_is_blocked_gets_nothing,
            who_blocks_gets_nothing,
            who_sent_no_presence_gets_nothing,
            a_blocked_device_gets_nothing,
            what_was_handed_over_is_sent_before_a_stop,
            mix_channels_do_not_count,
            the_answer_does_not_wait
        ]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config, #{
        modules => #{mod_shared_roster => #{}}
    }).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% What is pushed

the_stanza_of_the_contract(Config) ->
    {Alice, Bob} = friends(Config),
    Id = twitter_requests:publish(Alice, <<"Demoing my Twitter-like code">>),
    [Message] = twitter_events:received(twitter_cases:server(Config), Bob),
    Author = twitter_client:bare(Alice),
    Expected = iolist_to_binary([
        <<"<message to='">>, twitter_client:bare(Bob), <<"' from='pubsub.localhost' type='headline'>">>,
        <<"<event xmlns='http://jabber.org/protocol/pubsub#event'>">>,
        <<"<items node='/twitter/FriendsStream'><item id='">>, Id, <<"' publisher='">>, Author,
        <<"'>Demoing my Twitter-like code</item></items></event>">>,
        <<"<body>">>, Author, <<": Demoing my Twitter-like code</body></message>">>
    ]),
    ?assertEqual(Expected, fxml:element_to_binary(Message)).

an_element_is_pushed_as_published(Config) ->
    {Alice, Bob} = friends(Config),
    Entry = element(<<"<entry xmlns='http://www.w3.org/2005/Atom' xml:lang='en'>",
                      "<title type='text'>Hello &amp; welcome</title></entry>">>),
    Id = twitter_requests:publish(Alice, Entry),
    Author = twitter_client:bare(Alice),
    [Message] = twitter_events:received(twitter_cases:server(Config), Bob),
    ?assertEqual([{item, Author, Id, [Entry]}], twitter_events:entries(Message)),
    ?assertEqual(<<Author/binary, ": Hello & welcome">>, twitter_events:body(Message)).

every_resource_gets_it_once(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    User = user(Bob),
    Phone = twitter_users:login(Server, User, #{resource => <<"phone">>}),
    Hidden = twitter_users:login(Server, User, #{resource => <<"hidden">>}),
    twitter_client:send(Hidden, <<"<presence><priority>-5</priority></presence>">>),
    _ = twitter_client:sync(Hidden),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"To all of you">>),
    [
        ?assertMatch([{item, _, <<"a">>, _}], twitter_events:posts(Server, Client))
     || Client <- [Bob, Phone, Hidden]
    ].

the_authors_other_resources_get_it(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, _Bob} = friends(Config),
    Phone = twitter_users:login(Server, user(Alice), #{resource => <<"phone">>}),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"From my desk">>),
    [Message] = twitter_events:received(Server, Phone),
    ?assertEqual(?MINE, twitter_events:node(Message)),
    ?assertMatch([{item, _, <<"a">>, [{xmlcdata, <<"From my desk">>}]}], twitter_events:entries(Message)),
    ?assertEqual(none, twitter_events:body(Message)),
    ?assertEqual([], twitter_events:posts(Server, Alice)),
    ok = twitter_requests:retract(Phone, <<"a">>),
    [Retraction] = twitter_events:received(Server, Alice),
    ?assertEqual(?MINE, twitter_events:node(Retraction)),
    ?assertEqual([], twitter_events:posts(Server, Phone)).

edits_and_retractions_are_pushed(Config) ->
    {Alice, Bob} = friends(Config),
    Author = twitter_client:bare(Alice),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"Frist">>),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"First">>),
    ok = twitter_requests:retract(Alice, <<"a">>),
    Messages = twitter_events:received(twitter_cases:server(Config), Bob),
    ?assertEqual(
        [
            {item, Author, <<"a">>, [{xmlcdata, <<"Frist">>}]},
            {item, Author, <<"a">>, [{xmlcdata, <<"First">>}]},
            {retract, Author, <<"a">>}
        ],
        lists:flatmap(fun twitter_events:entries/1, Messages)
    ),
    ?assertEqual([?FRIENDS, ?FRIENDS, ?FRIENDS], [twitter_events:node(M) || M <- Messages]),
    ?assertEqual(none, twitter_events:body(lists:last(Messages))).

a_purge_retracts_each_post(Config) ->
    {Alice, Bob} = friends(Config),
    Author = twitter_client:bare(Alice),
    _ = twitter_requests:publish_all(Alice, [<<"a">>, <<"b">>]),
    _ = twitter_events:received(twitter_cases:server(Config), Bob),
    ok = twitter_requests:purge(Alice),
    ?assertEqual(
        [{retract, Author, <<"a">>}, {retract, Author, <<"b">>}],
        twitter_events:posts(twitter_cases:server(Config), Bob)
    ).

posts_of_an_author_keep_their_order(Config) ->
    {Alice, Bob} = friends(Config),
    Ids = [integer_to_binary(N) || N <- lists:seq(1, 100)],
    Published = twitter_requests:publish_all(Alice, Ids),
    Received = [{Author, Id} || {item, Author, Id, _} <- twitter_events:posts(twitter_cases:server(Config), Bob)],
    ?assertEqual(Published, Received).

%% The workers are stopped while alice publishes: she is answered, nobody has the event yet.
the_answer_does_not_wait(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Workers = twitter_inside:workers(Server, twitter_fanout),
    ok = twitter_inside:suspend(Server, Workers),
    Id = twitter_requests:publish(Alice, <<"Patience">>),
    ok = twitter_client:refute(Bob, twitter_events:is_event()),
    ok = twitter_inside:resume(Server, Workers),
    Message = twitter_client:expect(Bob, twitter_events:is_event()),
    ?assertMatch([{item, _, Id, _}], twitter_events:entries(Message)).

%% The plugin is stopped while posts wait for their worker.
what_was_handed_over_is_sent_before_a_stop(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    ok = twitter_inside:suspend(Server, twitter_inside:workers(Server, twitter_fanout)),
    Published = twitter_requests:publish_all(Alice, [<<"a">>, <<"b">>, <<"c">>]),
    ok = twitter_server:call(Server, gen_mod, stop_module, [<<"localhost">>, mod_twitter]),
    Messages = lists:filter(twitter_events:is_event(), twitter_client:sync(Bob)),
    {ok, _} = twitter_server:call(Server, gen_mod, start_module, [<<"localhost">>, mod_twitter]),
    Entries = lists:flatmap(fun twitter_events:entries/1, Messages),
    ?assertEqual(Published, [{Author, Id} || {item, Author, Id, _} <- Entries]).

%%% To whom

%% The author's roster decides: bob has not put alice into his.
subscription_from_is_enough(Config) ->
    Server = twitter_cases:server(Config),
    Alice = fresh(Config, <<"alice">>),
    Bob = fresh(Config, <<"bob">>),
    ok = twitter_users:set_contact(Server, user(Alice), user(Bob), from),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"One way">>),
    ?assertMatch([{item, _, <<"a">>, _}], twitter_events:posts(Server, Bob)).

shared_roster_groups_count(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, Carol] = [fresh(Config, Name) || Name <- [<<"alice">>, <<"bob">>, <<"carol">>]],
    {Group, _} = user(Alice),
    Call = fun(Function, Args) -> twitter_server:call(Server, mod_shared_roster, Function, Args) end,
    {atomic, _} = Call(create_group, [<<"localhost">>, Group, [{name, Group}, {displayed_groups, [Group]}]]),
    [ok = Call(add_user_to_group, [<<"localhost">>, user(C), Group]) || C <- [Alice, Bob]],
    _ = twitter_requests:publish(Alice, <<"a">>, <<"Dear group">>),
    ?assertMatch([{item, _, <<"a">>, _}], twitter_events:posts(Server, Bob)),
    ?assertEqual([], twitter_events:posts(Server, Carol)),
    {atomic, ok} = Call(remove_user_from_group, [<<"localhost">>, user(Bob), Group]),
    _ = twitter_requests:publish(Alice, <<"b">>, <<"Without Bob">>),
    ?assertEqual([], twitter_events:posts(Server, Bob)).

%% A channel stands in the roster as a contact who sees everything, under a domain of its own.
mix_channels_do_not_count(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Routed = maps:get(routed, twitter_server:call(Server, twitter_flow, counters, [<<"localhost">>])),
    Rows = twitter_cases:hooked(Config, roster_get, {?MODULE, add_channel}, fun() ->
        _ = twitter_requests:publish(Alice, <<"a">>, <<"Not for robots">>),
        ?assertMatch([{item, _, <<"a">>, _}], twitter_events:posts(Server, Bob)),
        twitter_reading:rows(Alice, <<"/twitter/MyFriends">>)
    end),
    %% Nothing went to another server, where the channel lives.
    ?assertMatch(#{routed := Routed}, twitter_server:call(Server, twitter_flow, counters, [<<"localhost">>])),
    ?assertMatch([_Bob], Rows).

add_channel(Items, _User) ->
    Channel = #jid{user = <<"coven">>, server = <<"mix.example">>, luser = <<"coven">>, lserver = <<"mix.example">>},
    Id = #mix_roster_channel{participant_id = <<"1">>},
    [#roster_item{jid = Channel, subscription = both, mix_channel = Id} | Items].

who_shares_no_presence_gets_nothing(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Others = [fresh(Config, <<"carol">>) || _ <- [none, to, stranger]],
    [None, To, _Stranger] = Others,
    ok = twitter_users:set_contact(Server, user(Alice), user(None), none),
    ok = twitter_users:set_contact(Server, user(Alice), user(To), to),
    %% What others write into their own rosters gives them nothing.
    [ok = twitter_users:set_contact(Server, user(C), user(Alice), both) || C <- Others],
    publish_edit_retract(Alice),
    ?assertMatch([_, _, _], twitter_events:posts(Server, Bob)),
    [?assertEqual([], twitter_events:posts(Server, Other)) || Other <- Others].

who_was_removed_gets_nothing(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    _ = twitter_requests:publish(Alice, <<"Still friends">>),
    ?assertMatch([_], twitter_events:posts(Server, Bob)),
    ok = twitter_users:remove_contact(Alice, twitter_client:bare(Bob)),
    publish_edit_retract(Alice),
    ?assertEqual([], twitter_events:posts(Server, Bob)).

who_is_blocked_gets_nothing(Config) ->
    {Alice, Bob} = friends(Config),
    blocking(Config, Alice, Alice, Bob).

who_blocks_gets_nothing(Config) ->
    {Alice, Bob} = friends(Config),
    blocking(Config, Alice, Bob, Alice).

blocking(Config, Alice, Who, Whom) ->
    Server = twitter_cases:server(Config),
    [Bob] = [Who, Whom] -- [Alice],
    ok = twitter_users:block(Who, twitter_client:bare(Whom)),
    publish_edit_retract(Alice),
    ?assertEqual([], twitter_events:posts(Server, Bob)),
    ok = twitter_users:unblock(Who, twitter_client:bare(Whom)),
    _ = twitter_requests:publish(Alice, <<"b">>, <<"Welcome back">>),
    ?assertMatch([{item, _, <<"b">>, _}], twitter_events:posts(Server, Bob)).

%% A block may name one resource: neither push nor read there, both elsewhere.
a_blocked_device_gets_nothing(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Phone = twitter_users:login(Server, twitter_cases:user(Bob), #{resource => <<"phone">>}),
    ok = twitter_users:block(Alice, twitter_client:jid(Phone)),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"Not on the phone">>),
    ?assertMatch([{item, _, <<"a">>, _}], twitter_events:posts(Server, Bob)),
    ?assertEqual([], twitter_events:posts(Server, Phone)),
    ?assertEqual([<<"a">>], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual([], twitter_reading:ids(Phone, ?FRIENDS)),
    ?assertEqual([], twitter_reading:rows(Phone, <<"/twitter/MyFriends">>)).

%% A session without presence is not online, and it can come to be.
who_sent_no_presence_gets_nothing(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    twitter_client:send(Bob, <<"<presence type='unavailable'/>">>),
    _ = twitter_client:sync(Bob),
    publish_edit_retract(Alice),
    ?assertEqual([], twitter_events:posts(Server, Bob)),
    twitter_client:send(Bob, <<"<presence/>">>),
    _ = twitter_client:sync(Bob),
    _ = twitter_requests:publish(Alice, <<"b">>, <<"Hello again">>),
    ?assertMatch([{item, _, <<"b">>, _}], twitter_events:posts(Server, Bob)).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

publish_edit_retract(Author) ->
    _ = twitter_requests:publish(Author, <<"a">>, <<"Secret">>),
    _ = twitter_requests:publish(Author, <<"a">>, <<"Still secret">>),
    ok = twitter_requests:retract(Author, <<"a">>).

%% Two clients whose users see each other's presence.
friends(Config) ->
    list_to_tuple(twitter_cases:friends(Config, [<<"alice">>, <<"bob">>])).

fresh(Config, Name) ->
    [Client] = twitter_cases:strangers(Config, [Name]),
    Client.

user(Client) ->
    twitter_cases:user(Client).

element(Xml) ->
    fxml_stream:parse_element(Xml).
