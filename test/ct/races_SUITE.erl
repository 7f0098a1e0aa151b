%%% Things that happen at the same time: nobody is refused for it, nobody loses a post to it, and
%%% nobody gets somebody else's.
-module(races_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    many_begin_at_the_same_moment/1,
    accounts_are_deleted_while_others_publish/1,
    streams_are_purged_while_others_publish/1,
    ordinary_nodes_are_deleted_while_others_publish/1,
    clients_of_one_author_publish/1,
    one_client_purges_what_others_publish/1,
    one_client_retracts_what_another_publishes/1,
    clients_of_one_author_publish_beyond_the_limit/1,
    edits_arrive_in_their_order/1,
    an_author_publishes_while_his_account_is_deleted/1,
    no_error_was_logged/1
]).
%% Hook on the server under test.
-export([slow_remove_user/2]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [{group, many_authors}, {group, one_author}, no_error_was_logged].

groups() ->
    [
        {many_authors, [], [
            many_begin_at_the_same_moment,
            accounts_are_deleted_while_others_publish,
            streams_are_purged_while_others_publish,
            ordinary_nodes_are_deleted_while_others_publish
        ]},
        {one_author, [parallel], [
            clients_of_one_author_publish,
            one_client_purges_what_others_publish,
            one_client_retracts_what_another_publishes,
            clients_of_one_author_publish_beyond_the_limit,
            edits_arrive_in_their_order,
            an_author_publishes_while_his_account_is_deleted
        ]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config, #{twitter => #{max_posts => 100}}).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Many authors

%% Each first post makes a node; they must not stand in each other's way.
many_begin_at_the_same_moment(Config) ->
    Names = [<<"alice">> | lists:duplicate(20, <<"bob">>)],
    [Alice | Friends] = twitter_cases:friends(Config, Names),
    Posts = twitter_cases:together([
        fun() ->
            [Post] = twitter_requests:publish_all(Friend, [<<"1">>]),
            [Post] = twitter_reading:posts(Friend, ?MINE),
            Post
        end
     || Friend <- Friends
    ]),
    ?assertEqual(lists:sort(Posts), lists:sort(twitter_reading:posts(Alice, ?FRIENDS))).

%% The numbers of deleted nodes are given to new ones; nothing must lie under them.
accounts_are_deleted_while_others_publish(Config) ->
    Server = twitter_cases:server(Config),
    Leavers = twitter_cases:strangers(Config, lists:duplicate(12, <<"dave">>)),
    [[_, _] = twitter_requests:publish_all(Leaver, [<<"1">>, <<"2">>]) || Leaver <- Leavers],
    while_others_publish(Config, fun() ->
        [ok = twitter_users:unregister(Server, twitter_cases:user(Leaver)) || Leaver <- Leavers]
    end),
    ?assertEqual([], orphans(Config)),
    Newcomers = twitter_cases:strangers(Config, lists:duplicate(12, <<"carol">>)),
    [
        begin
            ?assertEqual([], twitter_reading:ids(Newcomer, ?MINE)),
            _ = twitter_requests:publish(Newcomer, <<"new">>, <<"First">>),
            ?assertEqual([<<"new">>], twitter_reading:ids(Newcomer, ?MINE))
        end
     || Newcomer <- Newcomers
    ].

streams_are_purged_while_others_publish(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    while_others_publish(Config, fun() ->
        [
            begin
                _ = twitter_requests:publish(Alice, <<"Soon gone">>),
                ok = twitter_requests:purge(Alice),
                ?assertEqual([], twitter_reading:ids(Alice, ?MINE))
            end
         || _ <- lists:seq(1, 30)
        ]
    end).

ordinary_nodes_are_deleted_while_others_publish(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    Publish = <<"<publish node='ordinary'><item><x xmlns='urn:x'/></item></publish>">>,
    while_others_publish(Config, fun() ->
        [
            _ = twitter_answers:result(Answer)
         || _ <- lists:seq(1, 30),
            Request <- [
                fun() -> twitter_requests:pubsub(Alice, set, <<"<create node='ordinary'/>">>) end,
                fun() -> twitter_requests:pubsub(Alice, set, Publish) end,
                fun() -> twitter_requests:owner(Alice, set, <<"<delete node='ordinary'/>">>) end
            ],
            Answer <- [Request()]
        ]
    end),
    ?assertEqual([], orphans(Config)).

%%% One author

%% Also his very first post is written by several at once.
clients_of_one_author_publish(Config) ->
    Clients = [First | _] = clients_of_one(Config, 4),
    Lists = twitter_cases:together([
        fun() ->
            Ids = [twitter_requests:publish(Client, integer_to_binary(N)) || N <- lists:seq(1, 15)],
            _ = twitter_requests:publish(Client, <<"shared">>, <<"the last one stays">>),
            ok = twitter_requests:retract(Client, hd(Ids)),
            tl(Ids)
        end
     || Client <- Clients
    ]),
    Ids = stream_ids(First),
    ?assertEqual(lists:sort([<<"shared">> | lists:append(Lists)]), lists:sort(Ids)),
    %% What one client wrote is in its order.
    [?assertEqual(List, [Id || Id <- Ids, lists:member(Id, List)]) || List <- Lists],
    assert_stored(Config, First),
    %% Each post can be found and deleted.
    [ok = twitter_requests:retract(First, Id) || Id <- Ids],
    ?assertEqual([], stream_ids(First)).

one_client_purges_what_others_publish(Config) ->
    [First | Others] = clients_of_one(Config, 4),
    Purge = fun() -> [ok = twitter_requests:purge(First) || _ <- lists:seq(1, 8)] end,
    _ = twitter_cases:together([Purge | [publishing(Client, 15) || Client <- Others]]),
    assert_stored(Config, First),
    ok = twitter_requests:purge(First),
    ?assertEqual([], stream_ids(First)),
    assert_stored(Config, First).

one_client_retracts_what_another_publishes(Config) ->
    [One, Other] = clients_of_one(Config, 2),
    Retract = <<"<retract node='/twitter/MyStream'><item id='x'/></retract>">>,
    _ = twitter_cases:together([
        fun() -> [twitter_requests:publish(One, <<"x">>, <<"Now you see me">>) || _ <- lists:seq(1, 60)] end,
        %% There may be nothing to retract.
        fun() -> [twitter_requests:pubsub(Other, set, Retract) || _ <- lists:seq(1, 60)] end
    ]),
    assert_stored(Config, One).

clients_of_one_author_publish_beyond_the_limit(Config) ->
    Clients = [First | _] = clients_of_one(Config, 4),
    _ = twitter_cases:together([publishing(Client, 30) || Client <- Clients]),
    ?assertEqual(100, length(stream_ids(First))),
    assert_stored(Config, First).

%% The last that a friend hears of a post is how it is.
edits_arrive_in_their_order(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Again = twitter_users:login(Server, twitter_cases:user(Alice)),
    _ = twitter_cases:together([
        fun() ->
            [
                twitter_requests:publish(Client, <<"x">>, <<By/binary, (integer_to_binary(N))/binary>>)
             || N <- lists:seq(1, 40)
            ]
        end
     || {Client, By} <- [{Alice, <<"a">>}, {Again, <<"b">>}]
    ]),
    Pushed = [Content || {item, _, <<"x">>, Content} <- twitter_events:posts(Server, Bob)],
    ?assertEqual(80, length(Pushed)),
    ?assertEqual([lists:last(Pushed)], twitter_reading:payloads(Bob, ?FRIENDS)).

%% Between the end of the account and the end of the session other modules delete what is theirs.
an_author_publishes_while_his_account_is_deleted(Config) ->
    Server = twitter_cases:server(Config),
    [Dave] = twitter_cases:strangers(Config, [<<"dave">>]),
    {Name, Host} = User = twitter_cases:user(Dave),
    _ = twitter_requests:publish(Dave, <<"a">>, <<"Early">>),
    twitter_cases:hooked(Config, remove_user, {?MODULE, slow_remove_user}, fun() ->
        {Deleter, Monitor} = spawn_monitor(fun() -> ok = twitter_users:unregister(Server, User) end),
        Waiting = await_hook(Server, Name),
        Answer = twitter_requests:pubsub(Dave, set, <<
            "<publish node='/twitter/MyStream'><item>Late</item></publish>"
        >>),
        go_on = twitter_server:call(Server, erlang, send, [Waiting, go_on]),
        receive
            {'DOWN', Monitor, process, Deleter, Reason} -> ?assertEqual(normal, Reason)
        end,
        ?assertEqual(<<"not-allowed">>, twitter_answers:refusal(Answer))
    end),
    User = twitter_users:register(Server, Name, Host),
    ?assertEqual([], twitter_reading:ids(twitter_users:login(Server, User), ?MINE)).

%% A term on the server tells which process waits in the hook.
await_hook(Server, Name) ->
    case twitter_server:call(Server, persistent_term, get, [{?MODULE, Name}, undefined]) of
        undefined -> await_hook(Server, Name);
        Waiting -> Waiting
    end.

slow_remove_user(Name, _Host) ->
    persistent_term:put({?MODULE, Name}, self()),
    receive
        go_on -> ok
    end.

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

%% Three others publish all the time until `Fun' has ended.
while_others_publish(Config, Fun) ->
    Server = twitter_cases:server(Config),
    Self = self(),
    Busy = [
        spawn_monitor(fun() ->
            Client = twitter_users:login(Server, twitter_users:fresh(Server, <<"bob">>)),
            _ = twitter_requests:publish(Client, <<"Begun">>),
            Self ! {begun, self()},
            publish_until_stopped(Client)
        end)
     || _ <- lists:seq(1, 3)
    ],
    %% Their first posts make nodes, and stock ejabberd may fail to delete one while another is made.
    [
        receive
            {begun, Pid} -> ok;
            {'DOWN', Ref, process, Pid, Reason} -> error(Reason)
        end
     || {Pid, Ref} <- Busy
    ],
    _ = Fun(),
    [
        begin
            Pid ! stop,
            receive
                {'DOWN', Ref, process, Pid, Reason} -> ?assertEqual(normal, Reason)
            end
        end
     || {Pid, Ref} <- Busy
    ].

publish_until_stopped(Client) ->
    _ = twitter_requests:publish(Client, <<"Busy">>),
    receive
        stop -> ok
    after 0 -> publish_until_stopped(Client)
    end.

%% Several clients of one fresh user.
clients_of_one(Config, Count) ->
    Server = twitter_cases:server(Config),
    User = twitter_users:fresh(Server, <<"alice">>),
    [twitter_users:login(Server, User) || _ <- lists:seq(1, Count)].

publishing(Client, Count) ->
    fun() -> [twitter_requests:publish(Client, <<"hi">>) || _ <- lists:seq(1, Count)] end.

stream_ids(Client) ->
    [Id || {_, Id, _} <- twitter_reading:stream(Client, ?MINE)].

%% The author's stream is the same from memory and, when that is forgotten, from storage.
assert_stored(Config, Author) ->
    Indexed = twitter_reading:stream(Author, ?MINE),
    ok = twitter_cases:forget(Config, twitter_client:bare(Author)),
    ?assertEqual(Indexed, twitter_reading:stream(Author, ?MINE)).

%% Items that belong to no node.
orphans(Config) ->
    twitter_stored:orphans(twitter_cases:server(Config)).
