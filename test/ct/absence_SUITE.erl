%%% What somebody missed, whatever happened to his session, to the plugin, to the server and to its storage
%%% meanwhile. catch_up_SUITE has what comes, and to whom.
-module(absence_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-import(twitter_absence, [author_and_reader/1, login/2, publish/3, ids/2, title/1, await_offline/2]).

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    who_resumes_has_not_been_away/1,
    who_is_given_up_missed_what_he_did_not_confirm/1,
    who_closes_his_stream_has_got_all/1,
    who_has_another_device_missed_nothing/1,
    a_session_is_killed/1,
    the_account_is_deleted/1,
    an_account_is_deleted_while_its_mark_is_written/1,
    those_who_keep_count_are_killed/1,
    the_plugin_restarts/1,
    the_plugin_restarts_while_one_is_away/1,
    one_leaves_while_nothing_is_served/1,
    one_is_away_for_two_runs/1,
    the_server_restarts/1,
    a_session_ends_without_a_word_before_the_server_stops/1,
    the_server_is_killed/1,
    marks_cannot_be_read/1,
    posts_cannot_be_read/1,
    without_private_storage/1,
    no_catch_up/1,
    no_error_was_logged/1
]).
-define(HOST, <<"localhost">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(UNREAD, <<"urn:ejabberd:twitter:unread">>).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [
        {group, sessions}, no_error_was_logged, {group, processes}, {group, storage}, {group, options}
    ].

groups() ->
    [
        {sessions, [parallel], [
            who_resumes_has_not_been_away,
            who_is_given_up_missed_what_he_did_not_confirm,
            who_closes_his_stream_has_got_all,
            who_has_another_device_missed_nothing,
            the_account_is_deleted
        ]},
        {processes, [], [
            a_session_is_killed,
            an_account_is_deleted_while_its_mark_is_written,
            those_who_keep_count_are_killed,
            the_plugin_restarts,
            the_plugin_restarts_while_one_is_away,
            one_leaves_while_nothing_is_served,
            one_is_away_for_two_runs,
            the_server_restarts,
            a_session_ends_without_a_word_before_the_server_stops,
            the_server_is_killed
        ]},
        {storage, [], [marks_cannot_be_read, posts_cannot_be_read]},
        {options, [], [without_private_storage, no_catch_up]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config, options(#{})).

options(Modules) ->
    #{twitter => #{catch_up => 10}, modules => maps:merge(#{mod_stream_mgmt => #{}}, Modules)}.

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Sessions

who_resumes_has_not_been_away(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    {Wire, Id} = managed(Config, Bob),
    ok = publish(Config, Alice, [<<"a">>]),
    Seen = twitter_wire:stanzas(twitter_wire:sync(Wire)),
    ok = twitter_wire:drop(Wire),
    ok = publish(Config, Alice, [<<"b">>]),
    Resumed = twitter_wire:resume(twitter_cases:server(Config), Bob, Id, length(Seen) + 1),
    ok = publish(Config, Alice, [<<"c">>]),
    %% Also when it says something else about its presence.
    ok = twitter_wire:send(Resumed, <<"<presence xmlns='jabber:client'><show>away</show></presence>">>),
    Later = twitter_wire:stanzas(twitter_wire:sync(Resumed)),
    ?assertEqual([[<<"a">>], [<<"b">>, <<"c">>]], [ids_of(Stanzas) || Stanzas <- [Seen, Later]]),
    ?assertEqual([], ids(Config, login(Config, Bob))).

who_is_given_up_missed_what_he_did_not_confirm(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    ok = publish(Config, Alice, [<<"late">>]),
    {Wire, _} = managed(Config, Bob),
    ok = publish(Config, Alice, [<<"a">>]),
    Seen = twitter_wire:stanzas(twitter_wire:sync(Wire)),
    ?assertEqual([<<"a">>], ids_of(Seen)),
    %% With the answer of that.
    ok = confirm(Wire, length(Seen) + 1),
    ok = publish(Config, Alice, [<<"b">>]),
    ?assertEqual([<<"b">>], ids_of(twitter_wire:stanzas(twitter_wire:sync(Wire)))),
    ok = twitter_wire:drop(Wire),
    ok = publish(Config, Alice, [<<"c">>]),
    ok = give_up(Config, Bob),
    ok = publish(Config, Alice, [<<"d">>]),
    ?assertEqual([<<"b">>, <<"c">>, <<"d">>], ids(Config, login(Config, Bob))).

%% What he was sent as missed, too.
who_closes_his_stream_has_got_all(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    ok = publish(Config, Alice, [<<"a">>]),
    Wire = twitter_wire:open(twitter_cases:server(Config), Bob, #{resource => <<"managed">>, presence => false}),
    _ = twitter_wire:manage(Wire),
    ok = twitter_wire:send(Wire, <<"<presence xmlns='jabber:client'/>">>),
    ?assertEqual([<<"a">>], ids_of(twitter_wire:stanzas(twitter_wire:sync(Wire)))),
    Session = session(Config, Bob),
    _ = twitter_wire:ask(Wire, <<"</stream:stream>">>, <<"</stream:stream>">>),
    ok = twitter_inside:await_end(twitter_cases:server(Config), Session),
    ?assertEqual([], ids(Config, login(Config, Bob))),
    %% Unlike who is lost before he has confirmed it.
    {_, Carol} = Lost = author_and_reader(Config),
    ok = publish(Config, element(1, Lost), [<<"a">>]),
    Other = twitter_wire:open(twitter_cases:server(Config), Carol, #{resource => <<"managed">>, presence => false}),
    _ = twitter_wire:manage(Other),
    ok = twitter_wire:send(Other, <<"<presence xmlns='jabber:client'/>">>),
    ?assertEqual([<<"a">>], ids_of(twitter_wire:stanzas(twitter_wire:sync(Other)))),
    ok = twitter_wire:drop(Other),
    ok = give_up(Config, Carol),
    ?assertEqual([<<"a">>], ids(Config, login(Config, Carol))).

who_has_another_device_missed_nothing(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    {Wire, _} = managed(Config, Bob),
    Desk = login(Config, Bob),
    ok = publish(Config, Alice, [<<"a">>]),
    ok = twitter_wire:drop(Wire),
    ok = publish(Config, Alice, [<<"b">>]),
    ok = give_up(Config, Bob),
    ?assertEqual([<<"a">>, <<"b">>], ids(Config, Desk)),
    ?assertEqual([], ids(Config, login(Config, Bob))),
    ?assertEqual(<<"FriendsStream">>, title(Desk)).

managed(Config, User) ->
    Wire = twitter_wire:open(twitter_cases:server(Config), User, #{resource => <<"managed">>}),
    {Wire, twitter_wire:manage(Wire)}.

confirm(Wire, Count) ->
    ok = twitter_wire:send(Wire, [<<"<a xmlns='urn:xmpp:sm:3' h='">>, integer_to_binary(Count), <<"'/>">>]),
    _ = twitter_wire:acked(Wire),
    ok.

session(Config, User) ->
    Jid = <<(twitter_users:jid(User))/binary, "/managed">>,
    twitter_inside:session(twitter_cases:server(Config), Jid).

give_up(Config, User) ->
    Server = twitter_cases:server(Config),
    Session = session(Config, User),
    ok = twitter_server:call(Server, ejabberd_c2s, stop_async, [Session]),
    twitter_inside:await_end(Server, Session).

%% Nobody is told of that: it is found out.
a_session_is_killed(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = author_and_reader(Config),
    Client = login(Config, Bob),
    Session = twitter_inside:session(Server, Client),
    true = twitter_server:call(Server, erlang, exit, [Session, kill]),
    ok = twitter_inside:await_end(Server, Session),
    ok = publish(Config, Alice, [<<"a">>]),
    ok = twitter_server:call(Server, twitter_sessions, reconcile, [?HOST]),
    ok = publish(Config, Alice, [<<"b">>]),
    ?assertEqual([<<"a">>, <<"b">>], ids(Config, login(Config, Bob))).

%%% Accounts

the_account_is_deleted(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, {Name, Host} = Bob} = author_and_reader(Config),
    Client = login(Config, Bob),
    Session = twitter_inside:session(Server, Client),
    ?assertMatch([_], stored(Config, Bob)),
    ok = twitter_users:unregister(Server, Bob),
    ok = twitter_inside:await_end(Server, Session),
    ?assertEqual([], stored(Config, Bob)),
    %% His heir comes for the first time, and has friends of his own.
    ok = publish(Config, Alice, [<<"a">>]),
    Bob = twitter_users:register(Server, Name, Host),
    Heir = login(Config, Bob),
    ?assertEqual([], ids(Config, Heir)),
    ?assertEqual(<<"FriendsStream">>, title(Heir)).

%% The session is just about to write when the account goes.
an_account_is_deleted_while_its_mark_is_written(Config) ->
    Server = twitter_cases:server(Config),
    lists:foreach(
        fun(_) ->
            {_, Bob} = author_and_reader(Config),
            Clients = [login(Config, Bob) || _ <- [desk, phone]],
            Toggle = fun(Client) ->
                fun() -> [ok = twitter_client:send(Client, Say) || _ <- lists:seq(1, 10), Say <- [<<"<presence type='unavailable'/>">>, <<"<presence/>">>]] end
            end,
            _ = twitter_cases:together([fun() -> twitter_users:unregister(Server, Bob) end | [Toggle(Client) || Client <- Clients]]),
            [ok = twitter_client:abort(Client) || Client <- Clients],
            ok = await_offline(Config, Bob),
            ?assertEqual([], stored(Config, Bob))
        end,
        lists:seq(1, 20)
    ).

stored(Config, {Name, Host}) ->
    [?UNREAD || ?UNREAD <- twitter_stored:private(twitter_cases:server(Config), {Name, Host})].

%%% Processes

those_who_keep_count_are_killed(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = author_and_reader(Config),
    Client = login(Config, Bob),
    Away = twitter_users:fresh(Server, <<"carol">>),
    ok = twitter_users:befriend(Server, twitter_cases:user(Alice), Away),
    ok = twitter_client:close(login(Config, Away)),
    lists:foreach(
        fun(Module) ->
            Name = twitter_server:call(Server, gen_mod, get_module_proc, [?HOST, Module]),
            ok = twitter_inside:await_other(Server, Name, twitter_inside:kill(Server, Name)),
            ok = twitter_server:await_service(Server, ?HOST),
            Id = atom_to_binary(Module),
            ok = publish(Config, Alice, [Id]),
            ?assertEqual([Id], ids(Config, Client)),
            ?assertEqual(<<"FriendsStream">>, title(Client)),
            Again = login(Config, Away),
            ?assertEqual([Id], ids(Config, Again)),
            ok = twitter_client:close(Again)
        end,
        [twitter_sessions, twitter_service, twitter_sup]
    ),
    ok = twitter_client:close(Client),
    ok = publish(Config, Alice, [<<"last">>]),
    ?assertEqual([<<"last">>], ids(Config, login(Config, Bob))).

%% Sessions go on, and one ends, while it does not run.
the_plugin_restarts(Config) ->
    Server = twitter_cases:server(Config),
    Users = twitter_cases:offline_friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    [Alice, Bob, Carol] = [login(Config, User) || User <- Users],
    ok = publish(Config, Alice, [<<"a">>]),
    ?assertEqual([[<<"a">>], [<<"a">>]], [ids(Config, Client) || Client <- [Bob, Carol]]),
    ok = restart(Server, fun() -> ok = twitter_client:close(Carol) end),
    ok = publish(Config, Alice, [<<"b">>]),
    ?assertEqual([<<"b">>], ids(Config, Bob)),
    ?assertEqual(<<"FriendsStream">>, title(Bob)),
    ok = twitter_client:close(Bob),
    ok = publish(Config, Alice, [<<"c">>]),
    Expected = [[<<"c">>], [<<"b">>, <<"c">>]],
    ?assertEqual(Expected, [ids(Config, login(Config, User)) || User <- tl(Users)]).

the_plugin_restarts_while_one_is_away(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = author_and_reader(Config),
    ok = publish(Config, Alice, [<<"a">>]),
    %% He comes while it does not run.
    Self = self(),
    ok = restart(Server, fun() -> Self ! {client, login(Config, Bob)} end),
    Client = receive {client, Came} -> Came end,
    ?assertEqual([<<"a">>], ids(Config, Client)),
    ok = publish(Config, Alice, [<<"b">>]),
    ?assertEqual([<<"b">>], ids(Config, Client)),
    ?assertEqual([], ids(Config, login(Config, Bob))).

restart(Server, Meanwhile) ->
    ok = twitter_server:call(Server, gen_mod, stop_module, [?HOST, mod_twitter]),
    _ = Meanwhile(),
    {ok, _} = twitter_server:call(Server, gen_mod, start_module, [?HOST, mod_twitter]),
    twitter_server:await_service(Server, ?HOST).

%% It is noted when there is a service again, and known after the server has been restarted.
one_leaves_while_nothing_is_served(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = author_and_reader(Config),
    Client = login(Config, Bob),
    Process = twitter_inside:session(Server, Client),
    ok = twitter_server:call(Server, gen_mod, stop_module, [?HOST, mod_pubsub]),
    ok = twitter_client:close(Client),
    ok = twitter_inside:await_end(Server, Process),
    {ok, _} = twitter_server:call(Server, gen_mod, start_module, [?HOST, mod_pubsub]),
    ok = twitter_server:await_service(Server, ?HOST),
    ok = publish(Config, Alice, [<<"a">>]),
    ok = twitter_server:restart(Server),
    ?assertEqual([<<"a">>], ids(Config, login(Config, Bob))).

%% An author, his friend, and the friend's client, which was sent a post.
pushed(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    Client = login(Config, Bob),
    ok = publish(Config, Alice, [<<"pushed">>]),
    ?assertEqual([<<"pushed">>], ids(Config, Client)),
    {twitter_cases:user(Alice), Bob, Client}.

%% He was online when the server was killed; what was posted in the next run he missed, also after that one.
one_is_away_for_two_runs(Config) ->
    Server = twitter_cases:server(Config),
    {Author, Bob, _Client} = pushed(Config),
    ok = twitter_stored:sync(Server),
    ok = twitter_server:kill9(Server),
    ok = twitter_server:restart(Server),
    ok = publish(Config, login(Config, Author), [<<"missed">>]),
    ok = twitter_server:restart(Server),
    ?assertEqual([<<"missed">>], ids(Config, login(Config, Bob))).

the_server_restarts(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = author_and_reader(Config),
    Author = twitter_cases:user(Alice),
    ok = publish(Config, Alice, [<<"a">>]),
    ok = twitter_server:restart(Server),
    ok = publish(Config, login(Config, Author), [<<"b">>]),
    Back = login(Config, Bob),
    ?assertEqual([<<"a">>, <<"b">>], ids(Config, Back)),
    %% He is there when it stops.
    ok = twitter_server:restart(Server),
    ok = publish(Config, login(Config, Author), [<<"c">>]),
    ?assertEqual([<<"c">>], ids(Config, login(Config, Bob))).

%% ejabberd ends all sessions before it stops modules, and does not wait for what they say by hooks.
a_session_ends_without_a_word_before_the_server_stops(Config) ->
    Server = twitter_cases:server(Config),
    {Author, Bob, Client} = pushed(Config),
    true = twitter_server:call(Server, erlang, exit, [twitter_inside:session(Server, Client), kill]),
    ok = twitter_server:restart(Server),
    ok = publish(Config, login(Config, Author), [<<"missed">>]),
    ?assertEqual([<<"missed">>], ids(Config, login(Config, Bob))).

%% What was pushed to him was pushed. What is posted after that, before he comes, is what he missed.
the_server_is_killed(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = author_and_reader(Config),
    Author = twitter_cases:user(Alice),
    Online = login(Config, Bob),
    ok = publish(Config, Alice, [<<"a">>]),
    ?assertEqual([<<"a">>], ids(Config, Online)),
    ok = twitter_server:call(Server, twitter_private, sync, []),
    ok = twitter_server:kill9(Server),
    ok = twitter_server:restart(Server),
    ok = publish(Config, login(Config, Author), [<<"b">>]),
    Hidden = twitter_users:login(Server, Bob, #{priority => none}),
    ?assertEqual(<<"FriendsStream (1 new)">>, title(Hidden)),
    Back = login(Config, Bob),
    ?assertEqual([<<"b">>], ids(Config, Back)),
    %% And while he is away.
    ok = twitter_client:close(Back),
    ok = publish(Config, login(Config, Author), [<<"c">>]),
    ok = twitter_server:call(Server, twitter_private, sync, []),
    ok = twitter_server:kill9(Server),
    ok = twitter_server:restart(Server),
    ?assertEqual([<<"c">>], ids(Config, login(Config, Bob))).

%%% Storage

marks_cannot_be_read(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = author_and_reader(Config),
    ok = publish(Config, Alice, [<<"a">>]),
    %% Newer versions of ejabberd look there at each login, for who is banned.
    Client = twitter_users:login(Server, Bob, #{priority => none}),
    twitter_stored:without(Server, private_storage, fun() ->
        ok = twitter_server:call(Server, ets_cache, clear, [private_cache]),
        ok = twitter_client:send(Client, <<"<presence/>">>),
        ?assertEqual([], ids(Config, Client)),
        ?assertEqual(<<"FriendsStream">>, title(Client)),
        ok = publish(Config, Alice, [<<"b">>]),
        ?assertEqual([<<"b">>], ids(Config, Client)),
        ok = twitter_client:close(Client)
    end),
    %% Nothing is known of that visit.
    ?assertEqual([<<"a">>, <<"b">>], ids(Config, login(Config, Bob))).

posts_cannot_be_read(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = author_and_reader(Config),
    ok = publish(Config, Alice, [<<"a">>]),
    Log = twitter_log:said(Server, fun() ->
        twitter_stored:without(Server, pubsub_item, fun() ->
            ok = twitter_cases:forget(Config, twitter_client:bare(Alice)),
            Client = login(Config, Bob),
            ?assertEqual([], ids(Config, Client)),
            ok = twitter_client:close(Client)
        end)
    end),
    ?assertMatch({_, _}, binary:match(Log, <<"What ", (twitter_users:jid(Bob))/binary, " missed at pubsub.localhost is not sent">>)),
    ok = twitter_cases:forget(Config, twitter_client:bare(Alice)),
    Client = login(Config, Bob),
    ?assertEqual([], ids(Config, Client)),
    ?assertEqual(<<"FriendsStream (1 new)">>, title(Client)).

%%% Options

without_private_storage(Config) ->
    Server = twitter_cases:server(Config),
    ok = twitter_server:reload(Server, options(#{mod_private => absent})),
    {Alice, Bob} = author_and_reader(Config),
    ok = publish(Config, Alice, [<<"a">>]),
    Client = login(Config, Bob),
    ?assertEqual([], ids(Config, Client)),
    ?assertEqual(<<"FriendsStream">>, title(Client)),
    ok = twitter_server:reload(Server, options(#{})).

no_catch_up(Config) ->
    Server = twitter_cases:server(Config),
    ok = twitter_server:reload(Server, (options(#{}))#{twitter => #{catch_up => 0}}),
    {Alice, Bob} = author_and_reader(Config),
    ok = publish(Config, Alice, [<<"a">>]),
    Client = login(Config, Bob),
    ?assertEqual([], ids(Config, Client)),
    ?assertEqual(<<"FriendsStream (1 new)">>, title(Client)),
    ok = twitter_client:close(Client),
    ok = publish(Config, Alice, [<<"b">>]),
    Again = login(Config, Bob),
    ?assertEqual(<<"FriendsStream (2 new)">>, title(Again)),
    ok = twitter_server:reload(Server, options(#{})).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

ids_of(Stanzas) ->
    IsEvent = twitter_events:is_event(),
    [Id || #xmlel{} = Stanza <- Stanzas, IsEvent(Stanza), {item, _, Id, _} <- twitter_events:entries(Stanza)].

