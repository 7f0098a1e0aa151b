%%% What other servers say that is not true, not well made or too much: nothing of it is stored, shown or pushed,
%%% nor leaves anything behind.
-module(forged_SUITE).

-include_lib("stdlib/include/assert.hrl").
-include_lib("fast_xml/include/fxml.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    messages_of_somebody_else/1,
    messages_to_somebody_else/1,
    messages_that_are_malformed/1,
    payloads_that_nobody_may_publish/1,
    messages_that_come_again/1,
    relays_of_somebody_else/1,
    relays_that_are_malformed/1,
    relays_that_come_again/1,
    audiences_that_are_malformed/1,
    a_good_post_beside_a_bad_one/1,
    what_comes_too_fast/1,
    what_is_too_much/1,
    a_server_that_does_not_answer_delays_nobody/1,
    nobody_is_asked_about_a_name_that_cannot_be_right/1,
    what_a_service_lists_of_others_counts_for_nothing/1,
    users_here_cannot_pretend/1,
    no_atoms_are_made/1,
    no_error_was_logged/1
]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(SERVICE, <<"pubsub.localhost">>).
-define(NS, <<"urn:ejabberd:twitter:relay:0">>).

all() ->
    [
        messages_of_somebody_else,
        messages_to_somebody_else,
        messages_that_are_malformed,
        payloads_that_nobody_may_publish,
        messages_that_come_again,
        relays_of_somebody_else,
        relays_that_are_malformed,
        relays_that_come_again,
        audiences_that_are_malformed,
        a_good_post_beside_a_bad_one,
        what_comes_too_fast,
        what_is_too_much,
        a_server_that_does_not_answer_delays_nobody,
        nobody_is_asked_about_a_name_that_cannot_be_right,
        what_a_service_lists_of_others_counts_for_nothing,
        users_here_cannot_pretend,
        no_atoms_are_made,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    {ok, _} = application:ensure_all_started(xmpp),
    Port = twitter_server:free_port(),
    [{component, Port} | twitter_cases:start(Config, #{components => [Port], twitter => #{max_post_size => 2000}})].

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%% Alice, whom bob follows, and who has posted, edited and retracted; and mallory, on a server of his own.
init_per_testcase(_Case, Config) ->
    Server = twitter_cases:server(Config),
    Port = proplists:get_value(component, Config),
    [A, M] = [twitter_remote:new(Server, Port) || _ <- [a, m]],
    Other = twitter_elsewhere:start(Port, <<"other.", (twitter_remote:domain(A))/binary>>, []),
    Alice = twitter_remote:author(A, <<"alice">>),
    Mallory = twitter_remote:author(M, <<"mallory">>),
    [Bob, Carol] = twitter_cases:strangers([{server, Server}], [<<"bob">>, <<"carol">>]),
    ok = twitter_cases:set_contact(Config, Bob, twitter_remote:jid(Alice), both),
    ok = twitter_cases:set_contact(Config, Carol, twitter_remote:jid(Alice), from),
    ok = twitter_remote:audience(Alice, [Bob]),
    [V1, V2, V3, V4, V5] = Versions = twitter_remote:moments(5),
    recorded = twitter_remote:relay(Alice, [
        {item, <<"kept">>, <<"True">>, V1, V1}, {item, <<"edited">>, <<"Ture">>, V2, V2},
        {item, <<"gone">>, <<"Gone">>, V3, V3}
    ]),
    recorded = twitter_remote:relay(Alice, [{item, <<"edited">>, <<"True">>, V2, V4}, {retract, <<"gone">>, V5}]),
    ok = twitter_remote:sync(Alice),
    ok = twitter_server:settle(Server, ?SERVICE),
    _ = [twitter_client:sync(Reader) || Reader <- [Bob, Carol]],
    [{alice, Alice}, {mallory, Mallory}, {other, Other}, {bob, Bob}, {carol, Carol}, {versions, Versions} | Config].

end_per_testcase(_Case, Config) ->
    [ok = twitter_remote:delete(proplists:get_value(Who, Config)) || Who <- [alice, mallory]],
    ok = twitter_server:reload(twitter_cases:server(Config), #{twitter => #{max_post_size => 2000}}),
    twitter_elsewhere:stop(proplists:get_value(other, Config)).

%%% Messages

messages_of_somebody_else(Config) ->
    {Alice, Mallory, Bob} = people(Config),
    Hers = twitter_remote:jid(Alice),
    Domain = twitter_remote:domain(Alice),
    Say = fun(Sender, From, Publisher) ->
        [{{From, Publisher, Change}, fun() ->
            twitter_elsewhere:send(Sender, message(From, twitter_client:bare(Bob), [
                twitter_remote:xml(twitter_remote:event(Publisher, Change)), Stamp
            ]))
        end} || Change <- [{item, <<"new">>, <<"Forged">>}, {item, <<"kept">>, <<"Forged">>}, {retract, <<"kept">>}],
                Stamp <- [twitter_remote:stamped(Change), <<>>]]
    end,
    [His, HisMain] = [twitter_remote:speaker(Mallory), twitter_remote:main(Mallory)],
    [Her, HerMain] = [twitter_remote:speaker(Alice), twitter_remote:main(Alice)],
    Other = proplists:get_value(other, Config),
    nothing_changes(Config, [
        Say(His, twitter_remote:service(Mallory), Hers),
        Say(HisMain, twitter_remote:domain(Mallory), Hers),
        Say(HisMain, twitter_remote:jid(Mallory), Hers),
        %% Below the domain, but not listed.
        Say(Other, <<"other.", Domain/binary>>, Hers),
        %% Users are no services, not even the author.
        Say(HerMain, Hers, Hers),
        Say(HerMain, <<Hers/binary, "/phone">>, Hers),
        Say(HerMain, <<"mallory@", Domain/binary>>, Hers),
        Say(Her, <<"pubsub@pubsub.", Domain/binary>>, Hers),
        Say(Her, <<"pubsub.", Domain/binary, "/x">>, Hers),
        %% She speaks for her domain only.
        Say(Her, <<"pubsub.", Domain/binary>>, twitter_remote:jid(Mallory)),
        Say(Her, <<"pubsub.", Domain/binary>>, twitter_client:bare(Bob)),
        Say(Her, <<"pubsub.", Domain/binary>>, <<"nobody@localhost">>),
        Say(Her, <<"pubsub.", Domain/binary>>, <<"nobody@other.", Domain/binary>>),
        Say(Her, <<"pubsub.", Domain/binary>>, Domain),
        Say(Her, <<"pubsub.", Domain/binary>>, <<"@", Domain/binary>>),
        Say(Her, <<"pubsub.", Domain/binary>>, <<>>)
    ]).

messages_to_somebody_else(Config) ->
    {Alice, _Mallory, _Bob} = people(Config),
    Carol = proplists:get_value(carol, Config),
    [Stranger] = twitter_cases:strangers(Config, [<<"stranger">>]),
    nothing_changes(Config, [[
        {To, fun() -> twitter_remote:single(Alice, To, [{item, <<"new">>, <<"Unwanted">>}]) end}
     || To <- [Carol, Stranger, <<"nobody-at-all@localhost">>]
    ]]),
    [?assertEqual([], twitter_reading:ids(Reader, ?FRIENDS)) || Reader <- [Carol, Stranger]].

messages_that_are_malformed(Config) ->
    {Alice, _Mallory, Bob} = people(Config),
    Item = <<"<item id='new' publisher='", (twitter_remote:jid(Alice))/binary, "'>Forged</item>">>,
    Stranger = <<"<item id='new' publisher='mallory@", (twitter_remote:domain(Alice))/binary, "'>Forged</item>">>,
    Good = event(?FRIENDS, Item),
    Stamp = twitter_remote:stamped({item, <<"new">>, <<>>}),
    Say = fun(Els) -> {Els, fun() -> twitter_remote:message(Alice, twitter_remote:service(Alice), Bob, Els) end} end,
    nothing_changes(Config, [lists:map(Say, [
        event(<<"/twitter">>, Item), event(<<"/twitter/MyStream">>, Item), event(<<"/twitter/MyFriends/x@y">>, Item),
        event(<<"/twitter/", (twitter_remote:jid(Alice))/binary, "/MyStream">>, Item),
        event(<<"/twitter/FriendsStream/new">>, Item),
        event(?FRIENDS, <<>>), event(?FRIENDS, <<"text">>), event(?FRIENDS, [Item, Stranger]),
        event(?FRIENDS, [Item, <<"<oops/>">>]), event(?FRIENDS, <<"<item id='new'>No publisher</item>">>),
        event(?FRIENDS, binary:replace(Item, <<" id='new'">>, <<>>)),
        event(?FRIENDS, binary:replace(Item, <<"id='new'">>, <<"id=''">>)),
        event(?FRIENDS, binary:replace(Item, <<"id='new'">>, <<"id='", (binary:copy(<<"x">>, 300))/binary, "'">>)),
        [Good, Good], [Good, Stamp, Stamp],
        [Good, <<"<relayed xmlns='">>, ?NS, <<"'/>">>],
        [Good, <<"<relayed xmlns='">>, ?NS, <<"' version='yesterday' sent='today' published='never'/>">>],
        [Good, <<"<relayed xmlns='">>, ?NS, <<"' version='2026-01-01T00:00:00Z' sent='2026-01-01T00:00:00Z'/>">>],
        [Good, <<"<relayed xmlns='">>, ?NS, <<"' version='9999999999' sent='-1' published='2026-99-99T00:00:00Z'/>">>]
     ] ++ [
        [<<"<event xmlns='http://jabber.org/protocol/pubsub#event'><">>, What, <<" node='/twitter/FriendsStream'/></event>">>]
     || What <- [<<"purge">>, <<"delete">>, <<"configuration">>, <<"subscription">>, <<"items">>, <<"collection">>]
    ])]),
    %% A message that came back.
    nothing_changes(Config, [[{error, fun() ->
        twitter_elsewhere:send(twitter_remote:speaker(Alice), [
            <<"<message type='error' from='">>, twitter_remote:service(Alice), <<"' to='">>, twitter_client:bare(Bob), <<"'>">>,
            Good, Stamp, <<"</message>">>
        ])
    end}]]).

payloads_that_nobody_may_publish(Config) ->
    {Alice, _Mallory, Bob} = people(Config),
    Payloads = [
        [],
        [{xmlcdata, binary:copy(<<"x">>, 3000)}],
        [nested(100)],
        [{xmlcdata, <<"text">>}, #xmlel{name = <<"and">>, attrs = [{<<"xmlns">>, <<"urn:x">>}]}],
        [#xmlel{name = <<"a">>, attrs = [{<<"xmlns">>, <<"urn:x">>}]}, #xmlel{name = <<"b">>, attrs = [{<<"xmlns">>, <<"urn:x">>}]}]
    ],
    nothing_changes(Config, [[
        {{Id, Payload}, fun() -> Send(Id, twitter_post:payload(Payload)) end}
     || Payload <- Payloads, Id <- [<<"new">>, <<"kept">>],
        Send <- [
            fun(One, P) ->
                V = twitter_remote:moment(),
                twitter_remote:single(Alice, Bob, [{item, One, P, V, V}])
            end,
            fun(One, P) ->
                V = twitter_remote:moment(),
                ?assertEqual(not_taken, twitter_remote:relay(Alice, [{item, One, P, V, V}]))
            end
        ]
    ]]).

nested(0) -> #xmlel{name = <<"a">>, attrs = [{<<"xmlns">>, <<"urn:x">>}]};
nested(Depth) -> #xmlel{name = <<"a">>, attrs = [{<<"xmlns">>, <<"urn:x">>}], children = [nested(Depth - 1)]}.

messages_that_come_again(Config) ->
    {Alice, _Mallory, Bob} = people(Config),
    nothing_changes(Config, [[
        {Change, fun() -> twitter_remote:single(Alice, Bob, [Change]) end} || Change <- old(Config)
    ]]).

old(Config) ->
    [V1, V2, V3, V4, V5] = proplists:get_value(versions, Config),
    [
        {item, <<"kept">>, <<"True">>, V1, V1}, {item, <<"kept">>, <<"Older">>, V1, V1 - 1},
        {item, <<"edited">>, <<"Ture">>, V2, V2}, {item, <<"edited">>, <<"Between">>, V2, V3},
        {item, <<"edited">>, <<"True">>, V2, V4}, {item, <<"gone">>, <<"Gone">>, V3, V3},
        {item, <<"gone">>, <<"Gone">>, V3, V4}, {item, <<"gone">>, <<"Gone">>, V3, V5},
        {retract, <<"gone">>, V5}, {retract, <<"gone">>, V1}, {retract, <<"edited">>, V3}, {retract, <<"edited">>, V4},
        {retract, <<"kept">>, V1}, {retract, <<"kept">>, V1 - 1}
    ].

%%% Relays

relays_of_somebody_else(Config) ->
    {Alice, Mallory, Bob} = people(Config),
    Readers = [twitter_client:bare(Bob)],
    Domain = twitter_remote:domain(Alice),
    Ask = fun(Sender, From, Author, Expected) ->
        {_, [Audience]} = twitter_relay:audience(Author, Readers),
        Relay = twitter_relay:relay(#{author => Author, audience => twitter_relay:digest(Readers), sent => 1, quiet => false,
                                      changes => [{retract, <<"kept">>, twitter_remote:moment()}]}),
        [{{From, Author}, fun() ->
            Answer = twitter_elsewhere:request(Sender, From, ?SERVICE, {<<"set">>, One}),
            ?assertEqual({From, Author, Expected}, {From, Author, twitter_remote:answer(Answer)})
        end} || One <- [Audience, Relay]]
    end,
    Hers = twitter_remote:jid(Alice),
    [His, HisMain] = [twitter_remote:speaker(Mallory), twitter_remote:main(Mallory)],
    [Her, HerMain] = [twitter_remote:speaker(Alice), twitter_remote:main(Alice)],
    nothing_changes(Config, [
        Ask(His, twitter_remote:service(Mallory), Hers, forbidden),
        Ask(HisMain, twitter_remote:domain(Mallory), Hers, forbidden),
        Ask(proplists:get_value(other, Config), <<"other.", Domain/binary>>, Hers, forbidden),
        Ask(HerMain, Hers, Hers, failed),
        Ask(Her, <<"pubsub.", Domain/binary, "/x">>, Hers, failed),
        Ask(Her, <<"pubsub.", Domain/binary>>, twitter_remote:jid(Mallory), forbidden),
        Ask(Her, <<"pubsub.", Domain/binary>>, twitter_client:bare(Bob), forbidden)
    ]).

relays_that_are_malformed(Config) ->
    {Alice, _Mallory, Bob} = people(Config),
    Hers = twitter_remote:jid(Alice),
    Digest = twitter_relay:digest([twitter_client:bare(Bob)]),
    V = <<"2099-01-01T00:00:00.000001Z">>,
    Relay = fun(Attrs, Els) ->
        [<<"<relay xmlns='">>, ?NS, <<"'">>, [[$\s, Name, <<"='">>, Value, $'] || {Name, Value} <- Attrs], $>, Els, <<"</relay>">>]
    end,
    Attrs = [{<<"author">>, Hers}, {<<"audience">>, Digest}, {<<"sent">>, V}],
    Item = [<<"<item id='new' published='">>, V, <<"' version='">>, V, <<"'>Hello</item>">>],
    Malformed =
        [Relay(lists:keydelete(Name, 1, Attrs), Item) || {Name, _} <- Attrs] ++
        [Relay(lists:keyreplace(Name, 1, Attrs, {Name, <<>>}), Item) || {Name, _} <- Attrs] ++
        [Relay(lists:keyreplace(<<"author">>, 1, Attrs, {<<"author">>, Wrong}), Item)
         || Wrong <- [twitter_remote:domain(Alice), <<"@">>, <<Hers/binary, "/phone">>, string:uppercase(Hers)]] ++
        [Relay(Attrs ++ [{<<"after">>, <<"yesterday">>}], Item)] ++
        [Relay(Attrs, Els) || Els <- [
            <<"<oops/>">>, <<"<item>Hello</item>">>, <<"<item id='new'>Hello</item>">>, <<"<retract id='kept'/>">>,
            <<"<retract version='2099-01-01T00:00:00Z'/>">>, <<"<purge/>">>, <<"<purge version='all'/>">>,
            [Item, <<"<retract/>">>]
        ]] ++
        [[<<"<relay xmlns='">>, ?NS, <<"'/>">>], [<<"<oops xmlns='">>, ?NS, <<"'/>">>], [<<"<missed xmlns='">>, ?NS, <<"'/>">>]],
    nothing_changes(Config, [[
        {Xml, fun() -> ?assertEqual({Xml, failed}, {Xml, twitter_remote:answer(twitter_remote:request(Alice, Type, Xml))}) end}
     || Xml <- Malformed, Type <- [<<"set">>, <<"get">>]
    ]]).

relays_that_come_again(Config) ->
    {Alice, _Mallory, _Bob} = people(Config),
    nothing_changes(Config, [[
        {Change, fun() -> recorded = twitter_remote:relay(Alice, [Change]) end} || Change <- old(Config)
    ], [
        {all, fun() -> recorded = twitter_remote:relay(Alice, old(Config)) end},
        {none, fun() -> recorded = twitter_remote:relay(Alice, []) end}
    ]]).

audiences_that_are_malformed(Config) ->
    {Alice, _Mallory, Bob} = people(Config),
    Hers = twitter_remote:jid(Alice),
    Carol = twitter_client:bare(proplists:get_value(carol, Config)),
    Readers = [twitter_client:bare(Bob), Carol],
    Digest = twitter_relay:digest(Readers),
    Audience = fun(Part, Of, Named, Of2) ->
        [<<"<audience xmlns='">>, ?NS, <<"' author='">>, Hers, <<"' digest='">>, Of2, <<"' part='">>, Part, <<"' of='">>, Of, <<"'>">>,
         [[<<"<reader jid='">>, Reader, <<"'/>">>] || Reader <- Named], <<"</audience>">>]
    end,
    Many = [<<"reader-", (integer_to_binary(N))/binary, "@localhost">> || N <- lists:seq(1, 501)],
    Elsewhere = [<<"bob@elsewhere.test">>],
    nothing_changes(Config, [[
        {Xml, fun() -> ?assertEqual({Xml, failed}, {Xml, twitter_remote:answer(twitter_remote:request(Alice, <<"set">>, Xml))}) end}
     || Xml <- [
            Audience(<<"1">>, <<"1">>, Readers, twitter_relay:digest([Carol])), Audience(<<"1">>, <<"1">>, [Carol], Digest),
            Audience(<<"1">>, <<"1">>, [], Digest), Audience(<<"2">>, <<"2">>, Readers, Digest),
            Audience(<<"2">>, <<"1">>, Readers, Digest), Audience(<<"0">>, <<"1">>, Readers, Digest),
            Audience(<<"x">>, <<"1">>, Readers, Digest), Audience(<<"1">>, <<"1000000">>, Readers, Digest),
            Audience(<<"1">>, <<"1">>, [<<"@">> | Readers], Digest), Audience(<<"1">>, <<"1">>, [<<"BOB@localhost">>], Digest),
            Audience(<<"1">>, <<"1">>, Elsewhere, twitter_relay:digest(Elsewhere)),
            Audience(<<"1">>, <<"1">>, Many, twitter_relay:digest(Many))
        ]
    ], [
        %% The second part of another list.
        {parts, fun() ->
            recorded = twitter_remote:answer(twitter_remote:request(Alice, <<"set">>, Audience(<<"1">>, <<"2">>, [Carol], Digest))),
            failed = twitter_remote:answer(twitter_remote:request(Alice, <<"set">>, Audience(<<"2">>, <<"2">>, Readers, twitter_relay:digest([Carol])))),
            failed = twitter_remote:answer(twitter_remote:request(Alice, <<"set">>, Audience(<<"2">>, <<"2">>, Readers, Digest)))
        end},
        %% More lists than anybody sends at once.
        {lists, fun() ->
            Answers = [twitter_remote:answer(twitter_remote:request(Alice, <<"set">>, element(2, {N, [
                <<"<audience xmlns='">>, ?NS, <<"' author='a">>, integer_to_binary(N), $@, twitter_remote:domain(Alice),
                <<"' digest='">>, Digest, <<"' part='1' of='2'/>">>]}))) || N <- lists:seq(1, 20)],
            ?assert(lists:member(failed, Answers))
        end}
    ]]).

a_good_post_beside_a_bad_one(Config) ->
    {Alice, _Mallory, Bob} = people(Config),
    recorded = twitter_remote:relay(Alice, [
        {item, <<"large">>, binary:copy(<<"x">>, 3000)}, {item, <<"good">>, <<"Small">>}
    ]),
    ok = twitter_remote:sync(Alice),
    ?assertMatch([{item, _, <<"good">>, _}], twitter_events:posts(twitter_cases:server(Config), Bob)).

%%% Too much

what_comes_too_fast(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Mallory, Bob} = people(Config),
    ok = twitter_server:reload(Server, #{twitter => #{max_post_size => 2000, remote_rate => #{burst => 5, refill => 1}}}),
    ok = twitter_cases:set_contact(Config, Bob, twitter_remote:jid(Mallory), both),
    ok = twitter_remote:audience(Mallory, [Bob]),
    recorded = twitter_remote:relay(Mallory, [{item, <<"a">>, <<"Slow">>}, {item, <<"b">>, <<"Slow">>}]),
    %% More at once than there is left.
    later = twitter_remote:relay(Mallory, [{item, <<"c">>, <<"Fast">>}, {item, <<"d">>, <<"Fast">>}, {item, <<"e">>, <<"Fast">>}]),
    Refused = refused(Server),
    ok = twitter_remote:sync(Mallory),
    _ = twitter_events:received(Server, Bob),
    nothing_changes(Config, [[
        {relay, fun() -> later = twitter_remote:relay(Mallory, [{item, <<"new">>, <<"Fast">>}]) end},
        {audience, fun() -> later = twitter_remote:audience(Mallory, []) end},
        {single, fun() -> twitter_remote:single(Mallory, Bob, [{item, <<"new">>, <<"Fast">>}]) end}
    ]]),
    ?assertEqual(Refused + 3, refused(Server)),
    %% Others may go on.
    recorded = twitter_remote:relay(Alice, [{item, <<"new">>, <<"Slow">>}]).

refused(Server) ->
    maps:get(refused, twitter_server:call(Server, twitter_flow, counters, [<<"localhost">>])).

%% The process of a sender does not come along: what waits for it is bounded.
what_is_too_much(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Mallory, Bob} = people(Config),
    Inbox = twitter_server:call(Server, gen_mod, get_module_proc, [<<"localhost">>, twitter_inbox]),
    ok = twitter_server:call(Server, sys, suspend, [Inbox]),
    Refused = refused(Server),
    Relay = fun() -> twitter_remote:relay(Mallory, [{retract, <<"a">>}]) end,
    put({twitter_remote, twitter_remote:jid(Mallory)}, [twitter_client:bare(Bob)]),
    [twitter_remote:single(Mallory, Bob, [{item, <<"a">>, <<"Flood">>}]) || _ <- lists:seq(1, 2001)],
    ?assertEqual(later, Relay()),
    ?assert(refused(Server) > Refused),
    ok = twitter_server:call(Server, sys, resume, [Inbox]),
    ok = twitter_remote:sync(Mallory),
    ?assertEqual(forbidden_or_unknown, case Relay() of unknown_audience -> forbidden_or_unknown; Other -> Other end),
    ok = twitter_remote:audience(Alice, [Bob]).

a_server_that_does_not_answer_delays_nobody(Config) ->
    {Alice, Mallory, Bob} = people(Config),
    %% His service goes on, and nobody answers at his domain.
    ok = twitter_elsewhere:silence(twitter_remote:main(Mallory)),
    ok = twitter_cases:set_contact(Config, Bob, twitter_remote:jid(Mallory), both),
    twitter_remote:single(Mallory, Bob, [{item, <<"a">>, <<"Hello?">>}]),
    recorded = twitter_remote:relay(Alice, [{item, <<"new">>, <<"Meanwhile">>}]),
    ?assertMatch(#xmlel{}, twitter_client:expect(Bob, twitter_events:is_event(?FRIENDS, <<"new">>))).

nobody_is_asked_about_a_name_that_cannot_be_right(Config) ->
    {Alice, Mallory, Bob} = people(Config),
    Asked = twitter_elsewhere:asked(twitter_remote:main(Mallory)),
    ok = twitter_cases:set_contact(Config, Bob, twitter_remote:jid(Mallory), both),
    twitter_remote:message(Alice, twitter_remote:service(Alice), Bob,
                           twitter_remote:xml(twitter_remote:event(twitter_remote:jid(Mallory), {item, <<"a">>, <<"Forged">>}))),
    ok = twitter_remote:sync(Alice),
    ?assertEqual(Asked, twitter_elsewhere:asked(twitter_remote:main(Mallory))).

%% Mallory's domain lists alice's service, and his own one as hers.
what_a_service_lists_of_others_counts_for_nothing(Config) ->
    {Alice, Mallory, Bob} = people(Config),
    ok = twitter_elsewhere:list(twitter_remote:main(Mallory), [twitter_remote:service(Alice), twitter_remote:service(Mallory),
                                                               twitter_remote:domain(Alice)]),
    ok = twitter_cases:set_contact(Config, Bob, twitter_remote:jid(Mallory), both),
    _ = twitter_client:sync(Bob),
    nothing_changes(Config, [[
        {hers, fun() ->
            twitter_remote:message(Alice, twitter_remote:service(Alice), Bob,
                                   twitter_remote:xml(twitter_remote:event(twitter_remote:jid(Mallory), {item, <<"a">>, <<"Forged">>})))
        end},
        {his, fun() ->
            twitter_remote:message(Mallory, twitter_remote:service(Mallory), Bob,
                                   twitter_remote:xml(twitter_remote:event(twitter_remote:jid(Alice), {item, <<"a">>, <<"Forged">>})))
        end}
    ]]).

%% They send what they like, under their own names, and nothing is recorded.
users_here_cannot_pretend(Config) ->
    {Alice, _Mallory, Bob} = people(Config),
    Carol = proplists:get_value(carol, Config),
    Before = state(Config),
    twitter_client:send(Carol, [
        <<"<message type='headline' to='">>, twitter_client:bare(Bob), <<"'>">>,
        twitter_remote:xml(twitter_remote:event(twitter_remote:jid(Alice), {item, <<"new">>, <<"Forged">>})), <<"</message>">>
    ]),
    {_, [Audience]} = twitter_relay:audience(twitter_remote:jid(Alice), [twitter_client:bare(Carol)]),
    Answer = twitter_client:request(Carol, [<<"<iq type='set' to='pubsub.localhost'>">>, twitter_remote:xml(Audience), <<"</iq>">>]),
    ?assertEqual(forbidden, twitter_remote:answer(Answer)),
    ok = twitter_remote:sync(Alice),
    ?assertEqual(Before, state(Config)).

no_atoms_are_made(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Mallory, Bob} = people(Config),
    Say = fun(N) ->
        Random = binary:encode_hex(crypto:strong_rand_bytes(8)),
        Name = <<"x", (string:lowercase(Random))/binary>>,
        Author = <<Name/binary, "@", (twitter_remote:domain(Alice))/binary>>,
        Event = twitter_remote:event(Author, {item, Name, Name}),
        [twitter_remote:message(Who, twitter_remote:service(Who), Bob,
                                [twitter_remote:xml(Event), <<"<", Name/binary, " xmlns='urn:", Name/binary, "'/>">>])
         || Who <- [Alice, Mallory]],
        _ = twitter_remote:request(Alice, <<"set">>, [<<"<relay xmlns='">>, ?NS, <<"' ">>, Name, <<"='1' author='">>, Author, <<"'><">>,
                                                      Name, <<"/></relay>">>]),
        N
    end,
    _ = Say(0),
    ok = twitter_remote:sync(Alice),
    Atoms = twitter_server:call(Server, erlang, system_info, [atom_count]),
    _ = [Say(N) || N <- lists:seq(1, 50)],
    ok = twitter_remote:sync(Alice),
    ?assert(twitter_server:call(Server, erlang, system_info, [atom_count]) < Atoms + 20).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

people(Config) ->
    {proplists:get_value(alice, Config), proplists:get_value(mallory, Config), proplists:get_value(bob, Config)}.

message(From, To, Els) ->
    [<<"<message type='headline' from='">>, From, <<"' to='">>, To, <<"'>">>, Els, <<"</message>">>].

event(Node, Entries) ->
    iolist_to_binary([<<"<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='">>, Node, <<"'>">>, Entries,
                      <<"</items></event>">>]).

%% All of them are sent; then nobody has got anything, and all is as it was.
nothing_changes(Config, Forgeries) ->
    {Alice, Mallory, Bob} = people(Config),
    Before = state(Config),
    _ = [twitter_client:sync(Reader) || Reader <- [Bob, proplists:get_value(carol, Config)]],
    [
        begin
            _ = Forge(),
            [ok = twitter_remote:sync(Who) || Who <- [Alice, Mallory]],
            ok = twitter_elsewhere:sync(twitter_cases:server(Config), proplists:get_value(other, Config)),
            [?assertEqual({Name, []}, {Name, [M || #xmlel{name = <<"message">>} = M <- twitter_client:sync(Reader)]})
             || Reader <- [Bob, proplists:get_value(carol, Config)]],
            ?assertEqual({Name, stored(Config)}, {Name, element(1, Before)})
        end
     || {Name, Forge} <- lists:append(Forgeries)
    ],
    ?assertEqual(Before, state(Config)).

%% What is stored, and what readers see.
state(Config) ->
    {Alice, _Mallory, Bob} = people(Config),
    Nodes = [?FRIENDS, <<"/twitter/MyFriends/", (twitter_remote:jid(Alice))/binary>>],
    {stored(Config), [{twitter_reading:entries(Bob, Node), twitter_reading:rows(Bob, Node)} || Node <- Nodes],
     twitter_reading:entries(proplists:get_value(carol, Config), ?FRIENDS)}.

%% But for when it was written.
stored(Config) ->
    Server = twitter_cases:server(Config),
    Jids = twitter_stored:authors(Server),
    Items = [Item || Jid <- Jids, Item <- twitter_server:call(Server, twitter_storage, items, [<<"pubsub.localhost">>, Jid])],
    Bookkeeping = [Item || {pubsub_item, {<<1, _/binary>>, _}, _, _, _, _} = Item <- Items],
    Posts = Items -- Bookkeeping,
    {lists:sort(Posts), lists:sort([{Id, Payload} || {pubsub_item, Id, _, _, _, Payload} <- Bookkeeping]),
     lists:sort(twitter_stored:all(Server, pubsub_node))}.
