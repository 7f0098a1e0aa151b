%%% What is remembered of rosters is the truth at every moment, whatever becomes of the tables, of the
%%% process that listens to them, and of those who have a say in rosters; where it might not be, nothing is
%%% remembered. rights_SUITE is about the ways in which rights change.
-module(remembered_SUITE).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/mod_roster.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([
    a_walk_through_rights/1,
    changes_while_everybody_asks/1,
    shared_groups_are_asked/1,
    a_table_made_anew_is_read_anew/1,
    a_change_while_nobody_listens/1,
    a_change_without_a_transaction/1,
    a_cache_of_ejabberd_is_wrong/1,
    nothing_is_remembered_without_mod_roster/1,
    a_handler_of_somebody_else_is_asked/1,
    no_error_was_logged/1
]).
%% Run in the server under test.
-export([entitled/2, admit/2, make_anew/1, cached/3]).

-define(HOST, <<"localhost">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(STEPS, 150).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [
        a_walk_through_rights,
        changes_while_everybody_asks,
        shared_groups_are_asked
    ] ++ twitter_database:only(mnesia, "no database tells of changes: rosters in SQL are asked, by way of ejabberd's caches", [
        a_table_made_anew_is_read_anew,
        a_change_while_nobody_listens,
        a_change_without_a_transaction,
        a_cache_of_ejabberd_is_wrong
    ]) ++ [
        nothing_is_remembered_without_mod_roster,
        a_handler_of_somebody_else_is_asked,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    Started = twitter_cases:start(Config),
    true = twitter_server:call(twitter_cases:server(Started), code, add_patha, [filename:dirname(code:which(?MODULE))]),
    Started.

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Cases

%% Five people, changes at random; after each one of them posts, and all read. Who may is what ejabberd's
%% own hooks say.
a_walk_through_rights(Config) ->
    Seed = rand:seed(exsss),
    ct:log("rand:seed(~p)", [rand:export_seed_s(Seed)]),
    Server = twitter_cases:server(Config),
    Clients = twitter_cases:strangers(Config, [<<"ann">>, <<"ben">>, <<"cid">>, <<"dee">>, <<"eli">>]),
    [twitter_users:set_contact(Server, twitter_cases:user(C), twitter_cases:user(D), both) || C <- Clients, D <- Clients, C =/= D],
    lists:foldl(fun(Step, Posts) -> step(Server, Clients, Step, Posts) end, #{}, lists:seq(1, ?STEPS)).

step(Server, Clients, Step, Posts) ->
    Author = any(Clients),
    Other = any(Clients -- [Author]),
    change(Server, any([Author, any(Clients)]), Other, rand:uniform(8)),
    Id = twitter_requests:publish(Author, <<"Hello">>),
    Now = maps:update_with(Author, fun(Ids) -> [Id | Ids] end, [Id], Posts),
    [
        begin
            Seen = [C || C <- Clients -- [Reader], entitled(Server, C, Reader)],
            ?assertEqual({Step, lists:member(Author, Seen)}, {Step, pushed(Server, Reader, Id)}),
            Friends = [C || C <- Seen, sees(Server, Reader, C)],
            Expected = lists:sort(lists:append([maps:get(C, Now, []) || C <- Friends])),
            Read = twitter_requests:items(Reader, ?FRIENDS, #{rsm => #{max => 1000, before => <<>>}}),
            ?assertEqual({Step, Expected}, {Step, lists:sort(twitter_answers:ids(Read))})
        end
     || Reader <- Clients -- [Author]
    ],
    Now.

change(_Server, Same, Same, _Kind) ->
    ok;
change(Server, Who, Whom, Kind) when Kind =< 4 ->
    Subscription = lists:nth(Kind, [none, to, from, both]),
    ok = twitter_users:set_contact(Server, twitter_cases:user(Who), twitter_cases:user(Whom), Subscription);
change(_Server, Who, Whom, 5) ->
    ok = twitter_users:remove_contact(Who, twitter_client:bare(Whom));
change(_Server, Who, Whom, 6) ->
    ok = twitter_users:block(Who, twitter_client:bare(Whom));
change(_Server, Who, Whom, 7) ->
    ok = twitter_users:unblock(Who, twitter_client:bare(Whom));
change(Server, Who, Whom, 8) ->
    ok = twitter_changes:subscribe(Who, Whom),
    ok = twitter_users:set_contact(Server, twitter_cases:user(Who), twitter_cases:user(Whom), both).

%% What others read at the moment of a change must not be remembered as what is true after it.
changes_while_everybody_asks(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    [Author, Reader] = [twitter_cases:user(C) || C <- [Alice, Bob]],
    [Again, Phone] = [twitter_users:login(Server, User) || User <- [Author, Reader]],
    Busy = [
        spawn_monitor(fun() -> ask_on(Ask) end)
     || Ask <- [
            fun() -> twitter_requests:publish(Again, <<"noise">>, <<"Noise">>) end,
            fun() -> twitter_requests:items(Phone, <<?FRIENDS/binary, "/a">>) end,
            fun() -> twitter_requests:items(Phone, ?FRIENDS) end
        ]
    ],
    <<"a">> = twitter_requests:publish(Alice, <<"a">>, <<"Kept">>),
    Give = fun() -> ok = twitter_users:set_contact(Server, Author, Reader, both) end,
    [
        begin
            ok = Change(),
            ?assertEqual({N, May}, {N, lists:member(<<"a">>, twitter_reading:ids(Bob, ?FRIENDS))}),
            Id = integer_to_binary(erlang:unique_integer([positive])),
            Id = twitter_requests:publish(Alice, Id, <<"Pushed">>),
            ?assertEqual({N, May}, {N, pushed(Server, Bob, Id)}),
            ok = twitter_requests:retract(Alice, Id)
        end
     || N <- lists:seq(1, 10),
        {Change, May} <- [
            {fun() -> ok = twitter_users:set_contact(Server, Author, Reader, to) end, false},
            {Give, true},
            {fun() -> ok = twitter_users:block(Alice, twitter_client:bare(Bob)) end, false},
            {fun() -> ok = twitter_users:unblock(Alice, twitter_client:bare(Bob)) end, true}
        ]
    ],
    _ = [Pid ! stop || {Pid, _} <- Busy],
    [receive {'DOWN', Ref, process, Pid, Reason} -> ?assertEqual(normal, Reason) end || {Pid, Ref} <- Busy],
    assert_remembered(Server).

ask_on(Ask) ->
    _ = Ask(),
    receive
        stop -> ok
    after 0 -> ask_on(Ask)
    end.

%% While groups are shared, rosters are more than what is written in them.
shared_groups_are_asked(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:strangers(Config, [<<"alice">>, <<"bob">>]),
    ok = twitter_server:reload(Server, #{modules => #{mod_shared_roster => #{}}}),
    try
        Group = fun(Function, Args) -> twitter_server:call(Server, mod_shared_roster, Function, [?HOST | Args]) end,
        Members = [twitter_cases:user(C) || C <- [Alice, Bob]],
        {atomic, _} = Group(create_group, [<<"all">>, [{name, <<"All">>}, {displayed_groups, [<<"all">>]}]]),
        [Group(add_user_to_group, [Member, <<"all">>]) || Member <- Members],
        Id = twitter_requests:publish(Alice, <<"Hello, group">>),
        ?assert(pushed(Server, Bob, Id)),
        ?assertNot(is_remembered(Server)),
        ?assertEqual([Id], twitter_reading:ids(Bob, ?FRIENDS)),
        Group(remove_user_from_group, [twitter_cases:user(Bob), <<"all">>]),
        Next = twitter_requests:publish(Alice, <<"Where is Bob?">>),
        ?assertNot(pushed(Server, Bob, Next)),
        ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS))
    after
        ok = twitter_server:reload(Server, #{modules => #{}})
    end,
    Last = twitter_requests:publish(Alice, <<"Alone">>),
    ?assertNot(pushed(Server, Bob, Last)),
    assert_remembered(Server).

%% As when a backup is restored: Mnesia drops whoever listened to the table.
a_table_made_anew_is_read_anew(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Id = twitter_requests:publish(Alice, <<"Friends">>),
    ?assert(pushed(Server, Bob, Id)),
    Backup = filename:join(proplists:get_value(priv_dir, Config), "roster.backup"),
    ok = twitter_server:call(Server, mnesia, backup, [Backup]),
    [ok = twitter_users:set_contact(Server, twitter_cases:user(Alice), twitter_cases:user(Bob), Subscription) || Subscription <- [none, from]],
    ok = twitter_users:set_contact(Server, twitter_cases:user(Alice), twitter_cases:user(Bob), none),
    ok = twitter_server:call(Server, ?MODULE, make_anew, [Backup]),
    clear_caches(Server),
    Next = twitter_requests:publish(Alice, <<"Friends again, says the backup">>),
    ?assert(pushed(Server, Bob, Next)),
    ok = twitter_users:set_contact(Server, twitter_cases:user(Alice), twitter_cases:user(Bob), none),
    Last = twitter_requests:publish(Alice, <<"Not any more">>),
    ?assertNot(pushed(Server, Bob, Last)),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)),
    assert_remembered(Server).

make_anew(Backup) ->
    Others = mnesia:system_info(tables) -- [roster],
    {atomic, [roster]} = mnesia:restore(Backup, [{skip_tables, Others}, {recreate_tables, [roster]}]),
    ok.

%% The process that hears of changes is killed, and cannot start again for a while.
a_change_while_nobody_listens(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    First = twitter_requests:publish(Alice, <<"Friends">>),
    ?assert(pushed(Server, Bob, First)),
    ?assertEqual([First], twitter_reading:ids(Bob, ?FRIENDS)),
    ok = twitter_server:call(Server, sys, suspend, [twitter_sup_localhost]),
    Killed = twitter_inside:kill(Server, twitter_watch_localhost),
    ok = twitter_users:set_contact(Server, twitter_cases:user(Alice), twitter_cases:user(Bob), none),
    Next = twitter_requests:publish(Alice, <<"Not any more">>),
    ?assertNot(pushed(Server, Bob, Next)),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)),
    ok = twitter_server:call(Server, sys, resume, [twitter_sup_localhost]),
    ok = twitter_inside:await_other(Server, twitter_watch_localhost, Killed),
    Last = twitter_requests:publish(Alice, <<"Never again">>),
    ?assertNot(pushed(Server, Bob, Last)),
    assert_remembered(Server).

%% As process_rosteritems of ejabberdctl does it; many times, since it is a matter of moments.
a_change_without_a_transaction(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    {Name, _} = twitter_cases:user(Alice),
    {Other, _} = twitter_cases:user(Bob),
    [Line] = twitter_server:call(Server, mnesia, dirty_read, [roster, {Name, ?HOST, {Other, ?HOST, <<>>}}]),
    [
        begin
            ok = twitter_server:call(Server, mnesia, dirty_write, [Line#roster{subscription = Subscription}]),
            ok = clear_caches(Server),
            Id = twitter_requests:publish(Alice, <<"Now">>),
            ?assertEqual({N, May}, {N, pushed(Server, Bob, Id)}),
            ?assertEqual({N, May}, {N, lists:member(Id, twitter_reading:ids(Bob, ?FRIENDS))})
        end
     || N <- lists:seq(1, 30), {Subscription, May} <- [{to, false}, {both, true}]
    ].

%% As it can become on another node of a cluster: there mod_roster goes on saying what was.
a_cache_of_ejabberd_is_wrong(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    [Eve] = twitter_cases:strangers(Config, [<<"eve">>]),
    Believes = fun(Subscriptions) ->
        [ok = twitter_server:call(Server, ?MODULE, cached, [twitter_cases:user(Of), twitter_cases:user(Whom), Subscription])
         || {Of, Whom, Subscription} <- Subscriptions]
    end,
    Believes([{Alice, Bob, none}, {Alice, Eve, both}, {Eve, Alice, both}]),
    ?assert(entitled(Server, Alice, Eve)),
    ?assertNot(entitled(Server, Alice, Bob)),
    Id = twitter_requests:publish(Alice, <<"Between friends">>),
    ?assert(pushed(Server, Bob, Id)),
    ?assertNot(pushed(Server, Eve, Id)),
    ?assertEqual([Id], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual([], twitter_reading:ids(Eve, ?FRIENDS)),
    ok = clear_caches(Server),
    assert_remembered(Server).

%% Puts into mod_roster's caches what is not in its table.
cached({User, Host}, Contact, Subscription) ->
    Jid = jid:tolower(jid:make(element(1, Contact), element(2, Contact))),
    Item = #roster{usj = {User, Host, Jid}, us = {User, Host}, jid = Jid, subscription = Subscription},
    Entries = [{roster_cache, {User, Host}, [Item]}, {roster_item_cache, {User, Host, Jid}, {Subscription, none, []}}],
    lists:foreach(
        fun({Cache, Key, Value}) ->
            _ = ets_cache:delete(Cache, Key),
            _ = ets_cache:insert(Cache, Key, Value)
        end,
        Entries
    ).

nothing_is_remembered_without_mod_roster(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Id = twitter_requests:publish(Alice, <<"Friends">>),
    ?assert(pushed(Server, Bob, Id)),
    ok = twitter_server:reload(Server, #{modules => #{mod_roster => absent}}),
    Next = twitter_requests:publish(Alice, <<"Nobody knows anybody">>),
    ?assertNot(pushed(Server, Bob, Next)),
    ?assertNot(is_remembered(Server)),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)),
    ok = twitter_server:reload(Server, #{modules => #{}}),
    Last = twitter_requests:publish(Alice, <<"Friends again">>),
    ?assert(pushed(Server, Bob, Last)),
    ?assertEqual([Id, Next, Last], twitter_reading:ids(Bob, ?FRIENDS)).

a_handler_of_somebody_else_is_asked(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:strangers(Config, [<<"alice">>, <<"bob">>]),
    First = twitter_requests:publish(Alice, <<"Nobody is here">>),
    ?assertNot(pushed(Server, Bob, First)),
    ok = twitter_server:call(Server, persistent_term, put, [?MODULE, twitter_client:bare(Bob)]),
    twitter_cases:hooked(Config, roster_get, {?MODULE, admit}, fun() ->
        Id = twitter_requests:publish(Alice, <<"Somebody let Bob in">>),
        ?assert(pushed(Server, Bob, Id))
    end),
    Last = twitter_requests:publish(Alice, <<"And out">>),
    ?assertNot(pushed(Server, Bob, Last)).

admit(Items, _User) ->
    [#roster_item{jid = jid:decode(persistent_term:get(?MODULE)), subscription = from} | Items].

no_error_was_logged(Config) ->
    twitter_cases:no_error_but_of_killed_processes(Config).

%%% Helpers

any(List) ->
    lists:nth(rand:uniform(length(List)), List).

pushed(Server, Client, Id) ->
    lists:member(Id, [Pushed || {item, _, Pushed, _} <- twitter_events:posts(Server, Client)]).

assert_remembered(Server) ->
    ?assertEqual(not twitter_database:is_sql(), is_remembered(Server)).

is_remembered(Server) ->
    error =/= twitter_server:call(Server, persistent_term, get, [{twitter_watch, twitter_rights, ?HOST}, error]).

clear_caches(Server) ->
    [ok = twitter_server:call(Server, ets_cache, clear, [Cache]) || Cache <- [roster_cache, roster_item_cache]],
    ok.

%% Whether ejabberd says that the reader may see the author.
entitled(Server, Author, Reader) when is_pid(Server) ->
    twitter_server:call(Server, ?MODULE, entitled, [twitter_client:bare(Author), twitter_client:jid(Reader)]).

entitled(AuthorJid, ReaderJid) ->
    #jid{luser = LUser, lserver = LServer} = Author = jid:decode(AuthorJid),
    Reader = jid:decode(ReaderJid),
    {Subscription, _, _} = ejabberd_hooks:run_fold(
        roster_get_jid_info, LServer, {none, none, []}, [LUser, LServer, jid:remove_resource(Reader)]),
    Allows = fun(Who, Packet, Direction) ->
        allow =:= ejabberd_hooks:run_fold(privacy_check_packet, LServer, allow, [Who, Packet, Direction])
    end,
    lists:member(Subscription, [from, both]) andalso
        Allows(Author, #presence{from = Author, to = Reader}, out) andalso
        Allows(Reader, #presence{from = Author, to = Reader}, in) andalso
        Allows(Reader, #message{from = Author, to = Reader, type = headline}, in).

%% Whether the reader has the author among those he sees.
sees(Server, Reader, Author) ->
    Roster = twitter_users:roster(Server, twitter_cases:user(Reader)),
    lists:member(proplists:get_value(twitter_client:bare(Author), Roster), [to, both]).
