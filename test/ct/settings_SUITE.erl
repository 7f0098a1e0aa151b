%%% What a reader wants to get: pushes and bodies turned off, friends muted until a date. Cases run with both
%%% ways of delivery.
-module(settings_SUITE).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([
    a_muted_friend_is_not_heard/1,
    a_mute_ends/1,
    what_a_muted_friend_takes_back_is_gone/1,
    a_mute_is_of_one_reader/1,
    a_muted_friend_who_is_none_any_more/1,
    pushes_are_off/1,
    bodies_are_off/1,
    a_change_reaches_all_sessions/1,
    settings_survive_a_crash/1,
    settings_go_with_the_account/1,
    whatever_a_client_wrote_there/1,
    storage_that_cannot_be_read/1,
    without_private_storage/1,
    no_error_was_logged/1
]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(SETTINGS, <<"urn:ejabberd:twitter:settings">>).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [{group, fast}, {group, full}].

groups() ->
    Cases = [
        {group, readers},
        without_private_storage,
        settings_survive_a_crash,
        no_error_was_logged,
        storage_that_cannot_be_read
    ],
    [
        {fast, [], Cases},
        {full, [], Cases},
        {readers, [parallel], [
            a_muted_friend_is_not_heard,
            a_mute_ends,
            what_a_muted_friend_takes_back_is_gone,
            a_mute_is_of_one_reader,
            a_muted_friend_who_is_none_any_more,
            pushes_are_off,
            bodies_are_off,
            a_change_reaches_all_sessions,
            settings_go_with_the_account,
            whatever_a_client_wrote_there
        ]}
    ].

init_per_suite(Config) -> Config.

end_per_suite(_Config) -> ok.

init_per_group(readers, Config) ->
    Config;
init_per_group(Way, Config) ->
    {ok, Server} = twitter_server:start(#{
        dir => proplists:get_value(priv_dir, Config), name => atom_to_list(Way), twitter => #{delivery => Way}
    }),
    [{server, Server}, {way, Way} | Config].

end_per_group(readers, _Config) -> ok;
end_per_group(_Way, Config) -> twitter_cases:stop(Config).

a_muted_friend_is_not_heard(Config) ->
    [Alice, Bob, Carol] = circle(Config),
    Before = twitter_requests:publish(Alice, <<"before">>),
    _ = received(Config, Bob),
    ok = settle(Config, Bob, mute, [twitter_client:bare(Alice), forever]),
    Muted = twitter_requests:publish(Alice, <<"muted">>),
    Before = twitter_requests:publish(Alice, Before, <<"edited">>),
    Heard = twitter_requests:publish(Carol, <<"heard">>),
    ?assertMatch([{item, _, Heard, _}], received(Config, Bob)),
    ?assertEqual([Heard], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual([Heard], twitter_reading:ids(Bob, ?FRIENDS, #{ids => [Muted, Heard]})),
    Post = <<?FRIENDS/binary, "/", Muted/binary>>,
    ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(twitter_requests:items(Bob, Post))),
    %% He can still look.
    Hers = <<"/twitter/MyFriends/", (twitter_client:bare(Alice))/binary>>,
    ?assertEqual([Before, Muted], twitter_reading:ids(Bob, Hers)),
    ?assertEqual(2, length(twitter_reading:rows(Bob, <<"/twitter/MyFriends">>))),
    ok = settle(Config, Bob, unmute, [twitter_client:bare(Alice)]),
    ?assertEqual([Before, Muted, Heard], twitter_reading:ids(Bob, ?FRIENDS)),
    After = twitter_requests:publish(Alice, <<"after">>),
    ?assertMatch([{item, _, After, _}], received(Config, Bob)).

a_mute_ends(Config) ->
    [Alice, Bob, _] = circle(Config),
    Name = twitter_client:bare(Alice),
    ok = settle(Config, Bob, mute, [Name, now_micros() + 3600_000_000]),
    Muted = twitter_requests:publish(Alice, <<"muted">>),
    ?assertEqual([], received(Config, Bob)),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)),
    %% The hour is over.
    ok = settle(Config, Bob, mute, [Name, now_micros()]),
    Heard = twitter_requests:publish(Alice, <<"heard">>),
    ?assertMatch([{item, _, Heard, _}], received(Config, Bob)),
    ?assertEqual([Muted, Heard], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertMatch(#{muted := []}, settings(Config, Bob)).

what_a_muted_friend_takes_back_is_gone(Config) ->
    [Alice, Bob, _] = circle(Config),
    Id = twitter_requests:publish(Alice, <<"a mistake">>),
    _ = received(Config, Bob),
    ok = settle(Config, Bob, mute, [twitter_client:bare(Alice), forever]),
    ok = twitter_requests:retract(Alice, Id),
    ?assertMatch([{retract, _, Id}], received(Config, Bob)).

a_mute_is_of_one_reader(Config) ->
    [Alice, Bob, Carol] = circle(Config),
    ok = settle(Config, Bob, mute, [twitter_client:bare(Alice), forever]),
    Id = twitter_requests:publish(Alice, <<"hello">>),
    ?assertEqual([], received(Config, Bob)),
    ?assertMatch([{item, _, Id, _}], received(Config, Carol)),
    ?assertEqual([Id], twitter_reading:ids(Carol, ?FRIENDS)),
    %% Nor does she notice.
    Bobs = twitter_requests:publish(Bob, <<"hello yourself">>),
    ?assertMatch([{item, _, Bobs, _}], received(Config, Alice)),
    ?assertEqual([Bobs], twitter_reading:ids(Alice, ?FRIENDS)).

%% To end a mute gives no right.
a_muted_friend_who_is_none_any_more(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, _] = circle(Config),
    ok = settle(Config, Bob, mute, [twitter_client:bare(Alice), forever]),
    ok = twitter_users:remove_contact(Server, twitter_cases:user(Alice), twitter_cases:user(Bob)),
    ok = settle(Config, Bob, unmute, [twitter_client:bare(Alice)]),
    _ = twitter_requests:publish(Alice, <<"not for Bob">>),
    ?assertEqual([], received(Config, Bob)),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)).

pushes_are_off(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, _] = circle(Config),
    ok = settle(Config, Bob, set, [false, true, true]),
    Id = twitter_requests:publish(Alice, <<"read me later">>),
    ?assertEqual([], received(Config, Bob)),
    ?assertEqual([Id], twitter_reading:ids(Bob, ?FRIENDS)),
    %% What he does himself his other devices are told.
    Phone = twitter_users:login(Server, twitter_cases:user(Bob)),
    Own = twitter_requests:publish(Bob, <<"mine">>),
    ?assertMatch([{item, _, Own, _}], received(Config, Phone)),
    ok = settle(Config, Bob, set, [true, true, true]),
    Pushed = twitter_requests:publish(Alice, <<"now">>),
    ?assertMatch([{item, _, Pushed, _}], received(Config, Bob)).

bodies_are_off(Config) ->
    [Alice, Bob, Carol] = circle(Config),
    ok = settle(Config, Bob, set, [true, false, true]),
    Text = <<"<&> \"hello\"">>,
    Id = twitter_requests:publish(Alice, Text),
    Server = twitter_cases:server(Config),
    [Plain] = twitter_events:received(Server, Bob),
    ?assertEqual(none, twitter_events:body(Plain)),
    ?assertMatch([{item, _, Id, [{xmlcdata, Text}]}], twitter_events:entries(Plain)),
    [Full] = twitter_events:received(Server, Carol),
    ?assertEqual(<<(twitter_client:bare(Alice))/binary, ": ", Text/binary>>, twitter_events:body(Full)),
    %% All else is the same.
    Rest = fun(#xmlel{attrs = Attrs, children = Els}) ->
        {lists:sort(lists:keydelete(<<"to">>, 1, Attrs)), [El || #xmlel{name = Name} = El <- Els, Name =/= <<"body">>]}
    end,
    ?assertEqual(Rest(Full), Rest(Plain)).

a_change_reaches_all_sessions(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, _] = circle(Config),
    Phone = twitter_users:login(Server, twitter_cases:user(Bob)),
    lists:foreach(
        fun(_) ->
            First = twitter_requests:publish(Alice, <<"both">>),
            [?assertMatch([{item, _, First, _}], received(Config, Device)) || Device <- [Bob, Phone]],
            ok = settle(Config, Bob, mute, [twitter_client:bare(Alice), forever]),
            _ = twitter_requests:publish(Alice, <<"neither">>),
            [?assertEqual([], received(Config, Device)) || Device <- [Bob, Phone]],
            ok = settle(Config, Phone, unmute, [twitter_client:bare(Alice)])
        end,
        lists:seq(1, 5)
    ).

settings_survive_a_crash(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, _] = circle(Config),
    User = twitter_cases:user(Bob),
    ok = settle(Config, Bob, mute, [twitter_client:bare(Alice), forever]),
    ok = settle(Config, Bob, set, [true, false, true]),
    ok = twitter_server:kill9(Server),
    ok = twitter_server:restart(Server),
    Name = twitter_client:bare(Alice),
    Anew = twitter_users:login(Server, User),
    ?assertEqual(
        #{pushes => true, bodies => false, catch_up => true, muted => [{Name, forever}]}, settings(Config, Anew)
    ).

settings_go_with_the_account(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, _] = circle(Config),
    User = twitter_cases:user(Bob),
    ok = settle(Config, Bob, mute, [twitter_client:bare(Alice), forever]),
    ok = twitter_users:unregister(Server, User),
    [Name, Host] = binary:split(twitter_users:jid(User), <<"@">>),
    User = twitter_users:register(Server, Name, Host),
    ok = twitter_users:befriend(Server, twitter_cases:user(Alice), User),
    Heir = twitter_users:login(Server, User),
    Id = twitter_requests:publish(Alice, <<"hello">>),
    ?assertMatch([{item, _, Id, _}], received(Config, Heir)).

%% It is his own, so he may: but it costs nobody anything.
whatever_a_client_wrote_there(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, _] = circle(Config),
    Deep = lists:foldl(fun(_, El) -> twitter_requests:el(<<"mute">>, [], [El]) end, {xmlcdata, <<"deep">>}, lists:seq(1, 500)),
    Mute = fun(Attrs) -> twitter_requests:el(<<"mute">>, Attrs, []) end,
    Written = twitter_requests:el(<<"settings">>, [{<<"xmlns">>, ?SETTINGS}, {<<"bodies">>, <<"false">>}, {<<"pushes">>, <<"&">>}], [
        Deep,
        Mute([{<<"jid">>, <<"@@">>}]),
        Mute([{<<"jid">>, twitter_client:bare(Alice)}, {<<"until">>, <<"-1">>}]),
        {xmlcdata, <<"text">>}
    ]),
    Query = twitter_requests:el(<<"query">>, [{<<"xmlns">>, <<"jabber:iq:private">>}], [Written]),
    #xmlel{attrs = Attrs} = twitter_requests:ask({Bob, twitter_client:bare(Bob)}, set, Query),
    ?assertEqual(<<"result">>, proplists:get_value(<<"type">>, Attrs)),
    %% A session that is there already goes by what it has read.
    Phone = twitter_users:login(Server, twitter_cases:user(Bob)),
    ?assertEqual(#{pushes => true, bodies => false, catch_up => true, muted => []}, settings(Config, Phone)),
    Id = twitter_requests:publish(Alice, <<"hello">>),
    [Event] = twitter_events:received(Server, Phone),
    ?assertMatch([{item, _, Id, _}], twitter_events:entries(Event)),
    ?assertEqual(none, twitter_events:body(Event)),
    ok = settle(Config, Bob, mute, [twitter_client:bare(Alice), forever]),
    ?assertMatch(#{bodies := false, muted := [_]}, settings(Config, Bob)).

%% They are a comfort: nobody is kept from posts by what cannot be read, and it is not written over.
storage_that_cannot_be_read(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, _] = circle(Config),
    ok = settle(Config, Bob, mute, [twitter_client:bare(Alice), forever]),
    twitter_stored:without(Server, private_storage, fun() ->
        Id = twitter_requests:publish(Alice, <<"hello">>),
        ?assertMatch([{item, _, Id, _}], received(Config, Bob)),
        ?assertEqual([Id], twitter_reading:ids(Bob, ?FRIENDS)),
        ?assertMatch({refused, _}, settle(Config, Bob, set, [true, true, false]))
    end),
    ?assertMatch(#{muted := [_]}, settings(Config, Bob)).

without_private_storage(Config) ->
    Server = twitter_cases:server(Config),
    ok = twitter_server:reload(Server, #{modules => #{mod_private => absent}, twitter => #{delivery => way(Config)}}),
    [Alice, Bob, _] = circle(Config),
    ?assertMatch({refused, _}, settle(Config, Bob, mute, [twitter_client:bare(Alice), forever])),
    Id = twitter_requests:publish(Alice, <<"hello">>),
    ?assertMatch([{item, _, Id, _}], received(Config, Bob)),
    ?assertEqual([Id], twitter_reading:ids(Bob, ?FRIENDS)),
    ok = twitter_server:reload(Server, #{modules => #{}, twitter => #{delivery => way(Config)}}).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

%% Two friends of the second one.
circle(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Server = twitter_cases:server(Config),
    Carol = twitter_users:fresh(Server, <<"carol">>),
    ok = twitter_users:befriend(Server, Carol, twitter_cases:user(Bob)),
    ok = twitter_users:befriend(Server, Carol, twitter_cases:user(Alice)),
    [Alice, Bob, twitter_users:login(Server, Carol)].

settings(Config, Client) ->
    [Name, Host] = binary:split(twitter_client:bare(Client), <<"@">>),
    Jid = twitter_server:call(twitter_cases:server(Config), jid, make, [Name, Host]),
    twitter_server:call(twitter_cases:server(Config), twitter_settings, get, [Jid]).

%% The client changes his settings.
settle(Config, Client, Function, Args) ->
    twitter_wishes:change(twitter_cases:server(Config), twitter_client:bare(Client), Function, Args).

received(Config, Client) ->
    twitter_events:posts(twitter_cases:server(Config), Client).

way(Config) ->
    proplists:get_value(way, Config).

now_micros() ->
    erlang:system_time(microsecond).
