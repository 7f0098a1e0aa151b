%%% Posts of authors on other servers: recorded once, shown to those for whom they were sent, and pushed to them.
-module(heard_SUITE).

-include_lib("stdlib/include/assert.hrl").
-include_lib("fast_xml/include/fxml.hrl").

-export([all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    the_service_says_that_it_takes_relays/1,
    a_relayed_post_is_recorded_and_pushed/1,
    every_device_gets_it_from_the_authors_service/1,
    a_single_post_is_recorded_and_pushed/1,
    the_same_post_for_two_readers_is_stored_once/1,
    nothing_comes_twice/1,
    an_edit_keeps_its_place/1,
    a_retraction_reaches_who_could_see_the_post/1,
    a_purge_takes_all_until_then/1,
    what_is_sent_again_after_a_purge_comes_back/1,
    a_quiet_post_is_recorded_only/1,
    what_is_missing_is_asked_for/1,
    without_an_audience_nothing_is_recorded/1,
    a_long_audience_comes_in_parts/1,
    a_post_after_a_single_one_needs_its_audience_again/1,
    who_is_offline_finds_it_later/1,
    who_was_away_is_sent_it/1,
    it_stands_by_the_authors_time/1,
    a_clock_that_is_wrong_puts_nothing_on_top/1,
    a_server_that_says_nothing_of_versions/1,
    who_mutes_the_author_gets_nothing/1,
    who_wants_no_bodies_gets_none/1,
    who_blocks_the_author_gets_nothing/1,
    all_hooks_are_run_where_the_admin_wants_it/1,
    the_oldest_go_first/1,
    a_damaged_record_costs_only_itself/1,
    a_damaged_stream_is_begun_anew/1,
    it_survives_a_restart/1,
    ordinary_events_pass/1,
    mod_pubsub_restarts/1,
    without_the_plugin_nobody_listens/1,
    no_error_was_logged/1
]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(SERVICE, <<"pubsub.localhost">>).

all() ->
    [{group, heard}].

groups() ->
    [{heard, [], [
        the_service_says_that_it_takes_relays,
        a_relayed_post_is_recorded_and_pushed,
        every_device_gets_it_from_the_authors_service,
        a_single_post_is_recorded_and_pushed,
        the_same_post_for_two_readers_is_stored_once,
        nothing_comes_twice,
        an_edit_keeps_its_place,
        a_retraction_reaches_who_could_see_the_post,
        a_purge_takes_all_until_then,
        what_is_sent_again_after_a_purge_comes_back,
        a_quiet_post_is_recorded_only,
        what_is_missing_is_asked_for,
        without_an_audience_nothing_is_recorded,
        a_long_audience_comes_in_parts,
        a_post_after_a_single_one_needs_its_audience_again,
        who_is_offline_finds_it_later,
        who_was_away_is_sent_it,
        it_stands_by_the_authors_time,
        a_clock_that_is_wrong_puts_nothing_on_top,
        a_server_that_says_nothing_of_versions,
        who_mutes_the_author_gets_nothing,
        who_wants_no_bodies_gets_none,
        who_blocks_the_author_gets_nothing,
        all_hooks_are_run_where_the_admin_wants_it,
        ordinary_events_pass,
        it_survives_a_restart,
        mod_pubsub_restarts,
        without_the_plugin_nobody_listens,
        no_error_was_logged,
        the_oldest_go_first,
        a_damaged_record_costs_only_itself,
        a_damaged_stream_is_begun_anew
    ]}].

init_per_suite(Config) ->
    {ok, _} = application:ensure_all_started(xmpp),
    Port = twitter_server:free_port(),
    [{component, Port} | twitter_cases:start(Config, #{components => [Port]})].

end_per_suite(Config) ->
    twitter_cases:stop(Config).

init_per_testcase(_Case, Config) ->
    [{remote, twitter_remote:new(twitter_cases:server(Config), proplists:get_value(component, Config))} | Config].

end_per_testcase(_Case, Config) ->
    twitter_remote:delete(remote(Config)).

%%% What arrives

the_service_says_that_it_takes_relays(Config) ->
    Answer = twitter_remote:request(remote(Config), <<"get">>, <<"<query xmlns='http://jabber.org/protocol/disco#info'/>">>),
    Features = [fxml:get_tag_attr_s(<<"var">>, El)
                || #xmlel{name = <<"feature">>} = El <- (fxml:get_subtag(Answer, <<"query">>))#xmlel.children],
    ?assert(lists:member(<<"urn:ejabberd:twitter:relay:0">>, Features)).

a_relayed_post_is_recorded_and_pushed(Config) ->
    {Alice, Bob} = follower(Config),
    ok = twitter_remote:audience(Alice, [Bob]),
    ?assertEqual(recorded, twitter_remote:relay(Alice, [{item, <<"a">>, <<"Hello from elsewhere">>}])),
    [Message] = received(Config, Bob),
    Author = twitter_remote:jid(Alice),
    Expected = iolist_to_binary([
        <<"<message to='">>, twitter_client:bare(Bob), <<"' from='">>, twitter_remote:service(Alice),
        <<"' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'>">>,
        <<"<items node='/twitter/FriendsStream'><item id='a' publisher='">>, Author,
        <<"'>Hello from elsewhere</item></items></event><body>">>, Author,
        <<": Hello from elsewhere</body></message>">>
    ]),
    ?assertEqual(Expected, fxml:element_to_binary(Message)),
    Entry = {Author, <<"a">>, <<"Hello from elsewhere">>},
    assert_found(Bob, Alice, [Entry]).

every_device_gets_it_from_the_authors_service(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = follower(Config),
    Phone = twitter_users:login(Server, twitter_cases:user(Bob), #{resource => <<"phone">>}),
    Hidden = twitter_users:login(Server, twitter_cases:user(Bob), #{resource => <<"hidden">>, priority => -5}),
    ok = twitter_remote:audience(Alice, [Bob]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"To all of you">>}]),
    twitter_remote:single(Alice, Bob, [{item, <<"b">>, <<"And this">>}]),
    Service = twitter_remote:service(Alice),
    [?assertEqual([{Service, <<"a">>}, {Service, <<"b">>}],
                  [{fxml:get_tag_attr_s(<<"from">>, M), Id} || M <- received(Config, Client),
                                                               {item, _, Id, _} <- twitter_events:entries(M)])
     || Client <- [Bob, Phone, Hidden]].

a_single_post_is_recorded_and_pushed(Config) ->
    {Alice, Bob} = follower(Config),
    twitter_remote:single(Alice, Bob, [{item, <<"a">>, <<"Hello you">>}]),
    Author = twitter_remote:jid(Alice),
    ?assertEqual([{item, Author, <<"a">>, [{xmlcdata, <<"Hello you">>}]}], posts(Config, Bob)),
    assert_found(Bob, Alice, [{Author, <<"a">>, <<"Hello you">>}]).

the_same_post_for_two_readers_is_stored_once(Config) ->
    {Alice, [Bob, Carol]} = followers(Config, [<<"bob">>, <<"carol">>]),
    V = twitter_remote:moment(),
    twitter_remote:single(Alice, Bob, [{item, <<"a">>, <<"For both">>, V, V}]),
    ?assertMatch([{item, _, <<"a">>, _}], posts(Config, Bob)),
    ?assertEqual([], posts(Config, Carol)),
    ?assertEqual([], twitter_reading:ids(Carol, ?FRIENDS)),
    twitter_remote:single(Alice, Carol, [{item, <<"a">>, <<"For both">>, V, V}]),
    ?assertEqual([], posts(Config, Bob)),
    ?assertMatch([{item, _, <<"a">>, _}], posts(Config, Carol)),
    [?assertEqual([<<"a">>], twitter_reading:ids(Reader, ?FRIENDS)) || Reader <- [Bob, Carol]],
    ?assertEqual([<<"a">>], stored(Config, Alice)).

nothing_comes_twice(Config) ->
    {Alice, Bob} = follower(Config),
    V = twitter_remote:moment(),
    Item = {item, <<"a">>, <<"Once">>, V, V},
    ok = twitter_remote:audience(Alice, [Bob]),
    recorded = twitter_remote:relay(Alice, [Item]),
    recorded = twitter_remote:relay(Alice, [Item]),
    twitter_remote:single(Alice, Bob, [Item]),
    ?assertMatch([{item, _, <<"a">>, _}], posts(Config, Bob)),
    ?assertEqual([<<"a">>], twitter_reading:ids(Bob, ?FRIENDS)).

an_edit_keeps_its_place(Config) ->
    {Alice, Bob} = follower(Config),
    [V1, V2, V3] = twitter_remote:moments(3),
    ok = twitter_remote:audience(Alice, [Bob]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"Frist">>, V1, V1}, {item, <<"b">>, <<"Second">>, V2, V2}]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"First">>, V1, V3}]),
    Author = twitter_remote:jid(Alice),
    ?assertMatch([{item, _, <<"a">>, _}, {item, _, <<"b">>, _}, {item, _, <<"a">>, [{xmlcdata, <<"First">>}]}],
                 posts(Config, Bob)),
    Entries = [{Author, <<"a">>, <<"First">>}, {Author, <<"b">>, <<"Second">>}],
    assert_found(Bob, Alice, Entries),
    forget(Config, Alice),
    assert_found(Bob, Alice, Entries).

a_retraction_reaches_who_could_see_the_post(Config) ->
    {Alice, [Bob, Carol]} = followers(Config, [<<"bob">>, <<"carol">>]),
    V = twitter_remote:moment(),
    twitter_remote:single(Alice, Bob, [{item, <<"a">>, <<"Hello">>, V, V}]),
    ?assertMatch([_], posts(Config, Bob)),
    ok = twitter_remote:audience(Alice, [Bob, Carol]),
    recorded = twitter_remote:relay(Alice, [{retract, <<"a">>}]),
    Author = twitter_remote:jid(Alice),
    ?assertEqual([{retract, Author, <<"a">>}], posts(Config, Bob)),
    ?assertEqual([], posts(Config, Carol)),
    assert_found(Bob, Alice, []),
    recorded = twitter_remote:relay(Alice, [{item, <<"b">>, <<"For both">>}]),
    _ = [posts(Config, Reader) || Reader <- [Bob, Carol]],
    twitter_remote:single(Alice, Carol, [{retract, <<"b">>}]),
    [?assertEqual([{retract, Author, <<"b">>}], posts(Config, Reader)) || Reader <- [Bob, Carol]].

a_purge_takes_all_until_then(Config) ->
    {Alice, Bob} = follower(Config),
    [V1, V2, V3, V4] = twitter_remote:moments(4),
    ok = twitter_remote:audience(Alice, [Bob]),
    Item = fun(Id, V) -> {item, Id, Id, V, V} end,
    recorded = twitter_remote:relay(Alice, [Item(<<"a">>, V1), Item(<<"b">>, V2), Item(<<"c">>, V4)]),
    [_, _, _] = posts(Config, Bob),
    recorded = twitter_remote:relay(Alice, [{purge, V3}]),
    ?assertMatch([{retract, _, <<"a">>}, {retract, _, <<"b">>}], lists:sort(posts(Config, Bob))),
    ?assertEqual([<<"c">>], twitter_reading:ids(Bob, ?FRIENDS)).

what_is_sent_again_after_a_purge_comes_back(Config) ->
    {Alice, Bob} = follower(Config),
    [V1, V2, V3] = twitter_remote:moments(3),
    ok = twitter_remote:audience(Alice, [Bob]),
    [A, B] = [{item, Id, Id, V, V} || {Id, V} <- [{<<"a">>, V1}, {<<"b">>, V2}]],
    Before = twitter_remote:moment(),
    recorded = twitter_remote:relay(Alice, [A, B]),
    recorded = twitter_remote:relay(Alice, [{purge, V3}, A]),
    ?assertEqual([<<"a">>], twitter_reading:ids(Bob, ?FRIENDS)),
    _ = posts(Config, Bob),
    %% What was sent before the purge, and comes later, does not.
    recorded = twitter_remote:relay(Alice, [B, {purge, V3}], #{sent => Before}),
    ?assertEqual([<<"a">>], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual([], posts(Config, Bob)).

a_quiet_post_is_recorded_only(Config) ->
    {Alice, Bob} = follower(Config),
    ok = twitter_remote:audience(Alice, [Bob]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"From last week">>}], #{quiet => true}),
    ?assertEqual([], posts(Config, Bob)),
    ?assertEqual([<<"a">>], twitter_reading:ids(Bob, ?FRIENDS)).

what_is_missing_is_asked_for(Config) ->
    {Alice, Bob} = follower(Config),
    [V1, V2, V3, V4] = twitter_remote:moments(4),
    ok = twitter_remote:audience(Alice, [Bob]),
    Item = fun(Id, V) -> {item, Id, Id, V, V} end,
    ?assertEqual({missed, none}, twitter_remote:relay(Alice, [Item(<<"b">>, V2)], #{'after' => V1})),
    ?assertEqual({missed, V2}, twitter_remote:relay(Alice, [Item(<<"d">>, V4)], #{'after' => V3})),
    ?assertEqual(recorded, twitter_remote:relay(Alice, [Item(<<"c">>, V3), Item(<<"d">>, V4)], #{'after' => V2})),
    ?assertEqual([<<"b">>, <<"c">>, <<"d">>], twitter_reading:ids(Bob, ?FRIENDS)).

without_an_audience_nothing_is_recorded(Config) ->
    {Alice, [Bob, Carol]} = followers(Config, [<<"bob">>, <<"carol">>]),
    Item = {item, <<"a">>, <<"For whom?">>},
    ?assertEqual(unknown_audience, twitter_remote:relay_for(Alice, [Bob], [Item])),
    ok = twitter_remote:audience(Alice, [Bob]),
    ?assertEqual(unknown_audience, twitter_remote:relay_for(Alice, [Bob, Carol], [Item])),
    ?assertEqual([], posts(Config, Bob)),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual(recorded, twitter_remote:relay_for(Alice, [Bob], [Item])),
    ?assertEqual([<<"a">>], twitter_reading:ids(Bob, ?FRIENDS)).

a_long_audience_comes_in_parts(Config) ->
    {Alice, Bob} = follower(Config),
    Others = [<<"reader-", (integer_to_binary(N))/binary, "@localhost">> || N <- lists:seq(1, 1200)],
    ok = twitter_remote:audience(Alice, [twitter_client:bare(Bob) | Others]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"Dear all">>}]),
    ?assertMatch([{item, _, <<"a">>, _}], posts(Config, Bob)).

a_post_after_a_single_one_needs_its_audience_again(Config) ->
    {Alice, [Bob, Carol]} = followers(Config, [<<"bob">>, <<"carol">>]),
    ok = twitter_remote:audience(Alice, [Bob, Carol]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"For both">>}]),
    twitter_remote:single(Alice, Bob, [{item, <<"b">>, <<"For Bob">>}]),
    ok = twitter_remote:sync(Alice),
    ?assertEqual(unknown_audience, twitter_remote:relay(Alice, [{item, <<"c">>, <<"For both">>}])),
    ok = twitter_remote:audience(Alice, [Bob, Carol]),
    recorded = twitter_remote:relay(Alice, [{item, <<"c">>, <<"For both">>}]),
    ?assertEqual([<<"a">>, <<"b">>, <<"c">>], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual([<<"a">>, <<"c">>], twitter_reading:ids(Carol, ?FRIENDS)).

%%% When it arrives

who_is_offline_finds_it_later(Config) ->
    {Alice, Bob} = follower(Config),
    User = twitter_cases:user(Bob),
    ok = twitter_client:close(Bob),
    twitter_remote:single(Alice, twitter_users:jid(User), [{item, <<"a">>, <<"You are away">>}]),
    ok = twitter_remote:sync(Alice),
    Again = twitter_users:login(twitter_cases:server(Config), User),
    %% Not from offline storage either.
    ?assertEqual([], twitter_events:received(twitter_cases:server(Config), Again)),
    ?assertEqual([<<"a">>], twitter_reading:ids(Again, ?FRIENDS)).

who_was_away_is_sent_it(Config) ->
    Server = twitter_cases:server(Config),
    ok = twitter_server:reload(Server, #{twitter => #{catch_up => 20}}),
    {Alice, Bob} = follower(Config),
    User = twitter_cases:user(Bob),
    twitter_remote:single(Alice, Bob, [{item, <<"a">>, <<"You are here">>}]),
    ?assertMatch([_], posts(Config, Bob)),
    ok = twitter_client:close(Bob),
    ok = twitter_remote:audience(Alice, [twitter_users:jid(User)]),
    recorded = twitter_remote:relay(Alice, [{item, <<"b">>, <<"You are away">>}]),
    Again = twitter_users:login(Server, User),
    [Message] = twitter_events:received(Server, Again),
    ?assertMatch([{item, _, <<"b">>, _}], twitter_events:entries(Message)),
    ?assertEqual(twitter_remote:service(Alice), fxml:get_tag_attr_s(<<"from">>, Message)),
    ok = twitter_server:reload(Server, #{twitter => #{}}).

it_stands_by_the_authors_time(Config) ->
    {Alice, Bob} = follower(Config),
    {Dave, _} = another(Config, Bob),
    [V1, V2, V3] = [twitter_remote:moment() - Ago * 60_000_000 || Ago <- [30, 20, 10]],
    [ok = twitter_remote:audience(Author, [Bob]) || Author <- [Alice, Dave]],
    recorded = twitter_remote:relay(Alice, [{item, <<"c">>, <<"Third">>, V3, V3}]),
    recorded = twitter_remote:relay(Dave, [{item, <<"b">>, <<"Second">>, V2, V2}]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"First">>, V1, V1}]),
    ?assertEqual([<<"a">>, <<"b">>, <<"c">>], twitter_reading:ids(Bob, ?FRIENDS)).

a_clock_that_is_wrong_puts_nothing_on_top(Config) ->
    {Alice, Bob} = follower(Config),
    {Dave, _} = another(Config, Bob),
    Year = twitter_remote:moment() + 365 * 86_400_000_000,
    [ok = twitter_remote:audience(Author, [Bob]) || Author <- [Alice, Dave]],
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"From next year">>, Year, Year}], #{sent => Year}),
    recorded = twitter_remote:relay(Dave, [{item, <<"b">>, <<"From today">>}]),
    ?assertEqual([<<"a">>, <<"b">>], twitter_reading:ids(Bob, ?FRIENDS)).

a_server_that_says_nothing_of_versions(Config) ->
    {Alice, [Bob, Carol]} = followers(Config, [<<"bob">>, <<"carol">>]),
    Author = twitter_remote:jid(Alice),
    Say = fun(Reader, Change) -> twitter_remote:plain(Alice, Reader, Change) end,
    [Say(Reader, {item, <<"a">>, <<"Frist">>}) || Reader <- [Bob, Carol, Bob]],
    [?assertEqual([{item, Author, <<"a">>, [{xmlcdata, <<"Frist">>}]}], posts(Config, Reader)) || Reader <- [Bob, Carol]],
    Say(Bob, {item, <<"a">>, <<"First">>}),
    ?assertEqual([{item, Author, <<"a">>, [{xmlcdata, <<"First">>}]}], posts(Config, Bob)),
    ?assertEqual([], posts(Config, Carol)),
    Say(Bob, {retract, <<"a">>}),
    ?assertEqual([{retract, Author, <<"a">>}], posts(Config, Bob)),
    %% It comes no more.
    Say(Bob, {item, <<"a">>, <<"First">>}),
    ?assertEqual([], posts(Config, Bob)),
    assert_found(Bob, Alice, []).

%%% What readers want

who_mutes_the_author_gets_nothing(Config) ->
    {Alice, Bob} = follower(Config),
    ok = twitter_remote:audience(Alice, [Bob]),
    Author = twitter_remote:jid(Alice),
    Jid = twitter_server:call(twitter_cases:server(Config), jid, decode, [twitter_client:bare(Bob)]),
    ok = twitter_server:call(twitter_cases:server(Config), twitter_settings, mute, [reader(Config, Jid), Author, forever]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"Ignored">>}]),
    ?assertEqual([], posts(Config, Bob)),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual([<<"a">>], twitter_reading:ids(Bob, <<"/twitter/MyFriends/", Author/binary>>)).

who_wants_no_bodies_gets_none(Config) ->
    {Alice, Bob} = follower(Config),
    ok = twitter_remote:audience(Alice, [Bob]),
    Server = twitter_cases:server(Config),
    Jid = twitter_server:call(Server, jid, decode, [twitter_client:bare(Bob)]),
    ok = twitter_server:call(Server, twitter_settings, set, [reader(Config, Jid), true, false, true]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"Short">>}]),
    [Message] = received(Config, Bob),
    ?assertEqual(none, twitter_events:body(Message)).

who_blocks_the_author_gets_nothing(Config) ->
    {Alice, Bob} = follower(Config),
    ok = twitter_remote:audience(Alice, [Bob]),
    Author = twitter_remote:jid(Alice),
    ok = twitter_users:block(Bob, Author),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"Unheard">>}]),
    ?assertEqual([], posts(Config, Bob)),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)),
    ok = twitter_users:unblock(Bob, Author),
    ?assertEqual([<<"a">>], twitter_reading:ids(Bob, ?FRIENDS)).

all_hooks_are_run_where_the_admin_wants_it(Config) ->
    Server = twitter_cases:server(Config),
    ok = twitter_server:reload(Server, #{twitter => #{delivery => full}}),
    {Alice, Bob} = follower(Config),
    ok = twitter_remote:audience(Alice, [Bob]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"The long way">>}]),
    [Message] = received(Config, Bob),
    ?assertEqual(twitter_remote:service(Alice), fxml:get_tag_attr_s(<<"from">>, Message)),
    ok = twitter_server:reload(Server, #{twitter => #{}}).

%%% Others

%% What is about nodes of others is none of our business, nor what comes from here.
ordinary_events_pass(Config) ->
    {Alice, Bob} = follower(Config),
    Event = fun(Node) ->
                    [<<"<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='">>, Node,
                     <<"'><item id='1'><tune xmlns='http://jabber.org/protocol/tune'/></item></items></event>">>]
            end,
    [twitter_remote:message(Alice, From, Bob, Event(Node))
     || From <- [twitter_remote:jid(Alice), twitter_remote:service(Alice)],
        Node <- [<<"http://jabber.org/protocol/tune">>, <<"/twitterers">>, <<"princely_musings">>]],
    twitter_remote:message(Alice, twitter_remote:service(Alice), Bob, <<"<body>Hello</body>">>),
    ok = twitter_remote:sync(Alice),
    Messages = [M || #xmlel{name = <<"message">>} = M <- twitter_client:sync(Bob)],
    ?assertEqual(7, length(Messages)).

mod_pubsub_restarts(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = follower(Config),
    ok = twitter_remote:audience(Alice, [Bob]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"Before">>}]),
    ok = twitter_server:call(Server, gen_mod, stop_module, [<<"localhost">>, mod_pubsub]),
    {ok, _} = twitter_server:call(Server, gen_mod, start_module, [<<"localhost">>, mod_pubsub]),
    ok = twitter_server:await_service(Server, <<"localhost">>),
    recorded = twitter_remote:relay(Alice, [{item, <<"b">>, <<"After">>}]),
    ?assertEqual([<<"a">>, <<"b">>], twitter_reading:ids(Bob, ?FRIENDS)).

without_the_plugin_nobody_listens(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = follower(Config),
    ok = twitter_server:call(Server, gen_mod, stop_module, [<<"localhost">>, mod_twitter]),
    twitter_remote:single(Alice, Bob, [{item, <<"a">>, <<"Untrusted">>}]),
    _ = twitter_remote:request(Alice, <<"get">>, <<"<query xmlns='http://jabber.org/protocol/disco#info'/>">>),
    ?assertMatch([_], lists:filter(twitter_events:is_event(), twitter_client:sync(Bob))),
    ?assertEqual(no_relay, twitter_remote:relay_for(Alice, [Bob], [])),
    {ok, _} = twitter_server:call(Server, gen_mod, start_module, [<<"localhost">>, mod_twitter]),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)).

it_survives_a_restart(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = follower(Config),
    User = twitter_cases:user(Bob),
    ok = twitter_remote:audience(Alice, [Bob]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"Still here">>}]),
    ok = twitter_server:kill9(Server),
    ok = twitter_server:restart(Server),
    Again = twitter_users:login(Server, User),
    ?assertEqual([<<"a">>], twitter_reading:ids(Again, ?FRIENDS)),
    Later = twitter_remote:again(Alice),
    %% The audience is the same.
    ?assertEqual(recorded, twitter_remote:relay(Later, [{item, <<"b">>, <<"More">>}])),
    ok = twitter_remote:sync(Later),
    ?assertMatch([{item, _, <<"b">>, _}], twitter_events:posts(Server, Again)),
    twitter_remote:delete(Later).

the_oldest_go_first(Config) ->
    Server = twitter_cases:server(Config),
    ok = twitter_server:reload(Server, #{twitter => #{max_posts => 3}}),
    {Alice, Bob} = follower(Config),
    ok = twitter_remote:audience(Alice, [Bob]),
    [recorded = twitter_remote:relay(Alice, [{item, integer_to_binary(N), <<"Post">>}]) || N <- lists:seq(1, 5)],
    ?assertEqual([<<"3">>, <<"4">>, <<"5">>], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual([<<"3">>, <<"4">>, <<"5">>], stored(Config, Alice)),
    ok = twitter_server:reload(Server, #{twitter => #{}}).

a_damaged_record_costs_only_itself(Config) ->
    {Alice, Bob} = follower(Config),
    ok = twitter_remote:audience(Alice, [Bob]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"Good">>}, {item, <<"b">>, <<"Bad">>}]),
    Damage = case twitter_database:is_sql() of true -> <<"oops">>; false -> [oops] end,
    damage(Config, Alice, <<"b">>, Damage),
    ?assertEqual([<<"a">>], twitter_reading:ids(Bob, ?FRIENDS)).

a_damaged_stream_is_begun_anew(Config) ->
    {Alice, Bob} = follower(Config),
    ok = twitter_remote:audience(Alice, [Bob]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"Lost">>}]),
    damage(Config, Alice, <<1, "stream">>, case twitter_database:is_sql() of true -> <<>>; false -> [] end),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual(unknown_audience, twitter_remote:relay(Alice, [{item, <<"b">>, <<"New">>}])),
    ok = twitter_remote:audience(Alice, [Bob]),
    recorded = twitter_remote:relay(Alice, [{item, <<"b">>, <<"New">>}]),
    ?assertEqual([<<"b">>], twitter_reading:ids(Bob, ?FRIENDS)).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

remote(Config) ->
    proplists:get_value(remote, Config).

follower(Config) ->
    {Alice, [Bob]} = followers(Config, [<<"bob">>]),
    {Alice, Bob}.

%% One more author whom the same reader follows.
another(Config, Reader) ->
    Author = twitter_remote:author(remote(Config), <<"dave">>),
    ok = twitter_cases:set_contact(Config, Reader, twitter_remote:jid(Author), to),
    {Author, Reader}.

followers(Config, Names) ->
    Alice = twitter_remote:author(remote(Config), <<"alice">>),
    Readers = twitter_cases:strangers(Config, Names),
    [ok = twitter_cases:set_contact(Config, Reader, twitter_remote:jid(Alice), both) || Reader <- Readers],
    _ = [twitter_client:sync(Reader) || Reader <- Readers],
    {Alice, Readers}.

received(Config, Reader) ->
    ok = twitter_remote:sync(remote(Config)),
    twitter_events:received(twitter_cases:server(Config), Reader).

posts(Config, Reader) ->
    lists:flatmap(fun twitter_events:entries/1, received(Config, Reader)).

assert_found(Reader, Author, Entries) ->
    Jid = twitter_remote:jid(Author),
    [?assertEqual(Entries, twitter_reading:entries(Reader, Node)) || Node <- [?FRIENDS, <<"/twitter/MyFriends/", Jid/binary>>]].

forget(Config, Author) ->
    twitter_cases:forget(Config, twitter_remote:jid(Author)).

stored(Config, Author) ->
    Stream = twitter_server:call(twitter_cases:server(Config), twitter_heard_store, open, [?SERVICE, twitter_remote:jid(Author)]),
    Posts = twitter_server:call(twitter_cases:server(Config), twitter_heard_store, posts, [Stream]),
    lists:sort([Id || #{id := Id} <- Posts]).

damage(Config, Author, Id, Damage) ->
    Server = twitter_cases:server(Config),
    Item = twitter_stored:post(Server, twitter_remote:jid(Author), Id),
    ok = twitter_stored:damaged(Server, {Item, payload, Damage}),
    forget(Config, Author).

reader(Config, Jid) ->
    Server = twitter_cases:server(Config),
    {ok, Service} = twitter_server:call(Server, twitter_service, find, [?SERVICE]),
    twitter_server:call(Server, twitter_reader, local, [Jid, Service, <<"en">>]).
