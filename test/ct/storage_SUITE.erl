%%% Storage fails: a table is gone, or cannot be written, or a record in it is damaged. Clients get an error,
%%% the log says what is wrong but not what was posted, nothing else breaks, nobody sees what he may not see,
%%% and when storage is back everything works without a restart.
-module(storage_SUITE).

-include_lib("ejabberd/include/pubsub.hrl").
-include_lib("stdlib/include/assert.hrl").
-include_lib("fast_xml/include/fxml.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    no_items/1,
    no_nodes/1,
    no_states/1,
    no_rosters/1,
    no_blocks/1,
    nothing_can_be_written/1,
    an_account_is_deleted_without_storage/1,
    damaged_records_cost_only_themselves/1,
    a_post_that_its_author_does_not_own/1,
    posts_of_which_nobody_is_the_owner/1,
    a_node_is_made_by_several_at_once/1
]).

-define(HOST, <<"localhost">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(SECRET, <<"Do not tell the log">>).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [
        no_items,
        no_nodes,
        no_states,
        no_rosters,
        no_blocks,
        nothing_can_be_written,
        an_account_is_deleted_without_storage,
        damaged_records_cost_only_themselves
        | twitter_database:only(mnesia, "in SQL no state names the posts of an author", [a_post_that_its_author_does_not_own])
          ++ twitter_database:only(sql, "Mnesia has no table of owners, and is read in another way", [
              posts_of_which_nobody_is_the_owner, a_node_is_made_by_several_at_once
          ])
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

init_per_testcase(_Case, Config) ->
    [Bob, Alice, Carol] = twitter_cases:friends(Config, [<<"bob">>, <<"alice">>, <<"carol">>]),
    Posts = twitter_requests:publish_all(Alice, [<<"a">>, <<"b">>]),
    Posts = twitter_reading:posts(Bob, ?FRIENDS),
    _ = twitter_events:received(twitter_cases:server(Config), Bob),
    [{clients, {Alice, Bob, Carol}}, {posts, Posts} | Config].

end_per_testcase(_Case, Config) ->
    {Alice, Bob, Carol} = proplists:get_value(clients, Config),
    [ok = twitter_client:close(Client) || Client <- [Alice, Bob, Carol]],
    ok.

%%% Tables

no_items(Config) ->
    without(Config, pubsub_item).

no_nodes(Config) ->
    without(Config, pubsub_node).

%% Nor are the posts of an author deleted who seems to own nothing; whose they are, nobody can tell then.
no_states(Config) ->
    without(Config, pubsub_state).

without(Config, Table) ->
    Outcomes = [{Request, failed} || Request <- [publish, retract, purge, items, rows]],
    Server = twitter_cases:server(Config),
    {Alice, Bob, _} = clients(Config),
    Log = twitter_log:said(Server, fun() ->
        twitter_stored:without(Server, Table, fun() ->
            ok = forget(Config),
            ?assertEqual(Outcomes, [{Request, outcome(request(Request, Config))} || {Request, _} <- Outcomes]),
            ok = others_work(Server, Bob)
        end)
    end),
    Failed = length(Outcomes),
    Named = fun(Words) -> length([Entry || Entry <- twitter_log:errors(Log), re:run(Entry, [Words, atom_to_list(Table)]) =/= nomatch]) end,
    case twitter_database:is_sql() of
        false -> ?assertEqual(Failed, Named("A request of .*{no_exists.*"));
        %% ejabberd's transactions try again, and say so each time.
        true -> ?assert(Named("(?s)failed: .*") >= Failed)
    end,
    ok = nothing_else(Log, Failed),
    ?assertEqual([], twitter_events:received(Server, Bob)),
    ok = forget(Config),
    ok = works(Config, Alice, Bob, posts(Config)).

%% Nobody has friends then, as far as ejabberd's hooks tell.
no_rosters(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob, _} = clients(Config),
    Log = twitter_log:said(Server, fun() ->
        twitter_stored:without(Server, roster, fun() ->
            ok = forget_lists(Server),
            [?assertEqual({Request, failed}, {Request, outcome(request(Request, Config))})
             || Request <- [items, rows, friends]],
            ?assertEqual({publish, read}, {publish, outcome(request(publish, Config))}),
            ?assertEqual([], twitter_events:received(Server, Bob))
        end)
    end),
    {_, _} = binary:match(Log, <<"A post of ", (twitter_client:bare(Alice))/binary, " was not sent to all">>),
    ok = nothing_else(Log, 4),
    %% ejabberd goes on taking a roster for empty that it could not read from SQL.
    ok = forget_lists(Server),
    ok = works(Config, Alice, Bob, posts(Config) ++ [{twitter_client:bare(Alice), <<"x">>}]).

%% Nobody is blocked then, as far as ejabberd's hooks tell.
no_blocks(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob, Carol} = clients(Config),
    Jid = twitter_client:bare(Alice),
    ok = twitter_users:befriend(Server, twitter_cases:user(Alice), twitter_cases:user(Carol)),
    ok = twitter_users:block(Carol, Jid),
    Log = twitter_log:said(Server, fun() ->
        twitter_stored:without(Server, privacy, fun() ->
            ok = forget_lists(Server),
            ?assertEqual(failed, outcome(twitter_requests:items(Carol, ?FRIENDS))),
            ?assertEqual({publish, read}, {publish, outcome(request(publish, Config))}),
            ?assertEqual([], twitter_events:received(Server, Carol)),
            ?assertEqual([], twitter_events:received(Server, Bob))
        end)
    end),
    ok = nothing_else(Log, 2),
    ok = forget_lists(Server),
    ok = works(Config, Alice, Bob, posts(Config) ++ [{Jid, <<"x">>}]),
    ?assertEqual([], twitter_events:received(Server, Carol)),
    ?assertEqual([], twitter_reading:posts(Carol, ?FRIENDS)).

nothing_can_be_written(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob, _} = clients(Config),
    Log = twitter_log:said(Server, fun() ->
        twitter_stored:unwritable(Server, pubsub_item, fun() ->
            ?assertEqual(failed, outcome(request(publish, Config))),
            ?assertEqual(failed, outcome(request(retract, Config))),
            ok = forget(Config),
            ?assertEqual(posts(Config), twitter_reading:posts(Bob, ?FRIENDS)),
            ok = others_work(Server, Bob)
        end)
    end),
    ok = nothing_else(Log, 2),
    ?assertEqual([], twitter_events:received(Server, Bob)),
    ok = works(Config, Alice, Bob, posts(Config)).

%% It cannot be helped, but it is said.
an_account_is_deleted_without_storage(Config) ->
    Server = twitter_cases:server(Config),
    Dave = twitter_users:fresh(Server, <<"dave">>),
    Client = twitter_users:login(Server, Dave),
    _ = twitter_requests:publish(Client, ?SECRET),
    ok = twitter_client:close(Client),
    Log = twitter_log:said(Server, fun() ->
        twitter_stored:without(Server, pubsub_item, fun() -> ok = twitter_users:unregister(Server, Dave) end)
    end),
    Said = <<"The posts of ", (twitter_users:jid(Dave))/binary, " at pubsub.localhost are left">>,
    {_, _} = binary:match(Log, Said),
    %% As it says.
    ok = twitter_users:unregister(Server, Dave),
    {Name, Host} = Dave,
    Dave = twitter_users:register(Server, Name, Host),
    ?assertEqual([], twitter_reading:posts(twitter_users:login(Server, Dave), ?MINE)).

%%% Records

damaged_records_cost_only_themselves(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob, _} = clients(Config),
    [{Author, <<"a">>}, {Author, <<"b">>}] = posts(Config),
    Item = twitter_stored:post(Server, Author, <<"b">>),
    Damages = [{Item, Field, Garbage} || {Field, Garbage} <- damages(twitter_server:storage(Server))],
    lists:foreach(
        fun(Damaged) ->
            ok = twitter_stored:damaged(Server, Damaged),
            ok = forget(Config),
            Log = twitter_log:said(Server, fun() ->
                ?assertEqual([{Author, <<"a">>}], twitter_reading:posts(Bob, ?FRIENDS)),
                ?assertMatch([{<<"/twitter/FriendsStream/a">>, _}], twitter_reading:rows(Bob, ?FRIENDS)),
                ?assertEqual([], twitter_reading:posts(Bob, ?FRIENDS, #{ids => [<<"b">>]})),
                Info = twitter_requests:info(Bob, <<?FRIENDS/binary, "/b">>),
                ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(Info))
            end),
            {_, _} = binary:match(Log, <<"A post of ", Author/binary, " is left out">>),
            ?assertEqual(nomatch, binary:match(Log, <<"Hidden">>)),
            Others = [Entry || Entry <- twitter_log:errors(Log), binary:match(Entry, <<"is left out">>) =:= nomatch],
            ?assertEqual([], Others)
        end,
        Damages
    ),
    %% Whoever knows the id can mend it, or delete it.
    ok = twitter_stored:damaged(Server, hd(Damages)),
    <<"b">> = twitter_requests:publish(Alice, <<"b">>, <<"Mended">>),
    ?assertEqual([{Author, <<"a">>}, {Author, <<"b">>}], twitter_reading:posts(Bob, ?FRIENDS)),
    ok = twitter_stored:damaged(Server, hd(Damages)),
    ok = forget(Config),
    ok = twitter_requests:retract(Alice, <<"b">>),
    ok = forget(Config),
    ok = works(Config, Alice, Bob, [{Author, <<"a">>}]).

damages(mnesia) ->
    Text = #xmlel{name = <<"x">>, children = [{xmlcdata, <<"Hidden">>}]},
    Payloads = [
        garbage, [garbage], [Text | garbage], [{element, <<"x">>}],
        [Text#xmlel{children = [{xmlcdata, <<255>>}]}], [Text#xmlel{attrs = [{<<"a">>, 1}]}],
        [Text#xmlel{children = [Text#xmlel{name = 1}]}]
    ],
    [{payload, Payload} || Payload <- Payloads] ++ [{creation, {never, {}}}];
damages(_Sql) ->
    Payloads = [<<"Hidden">>, <<>>, <<"<x>Hidden">>, <<"<x>Hidden</y>">>, <<"<x/>Hidden">>, <<"<x a=1>Hidden</x>">>],
    [{payload, Payload} || Payload <- Payloads] ++ [{creation, Never} || Never <- [<<"never">>, <<>>, <<"1:2">>, <<"1:2:x">>]].

%% A crash of the virtual machine can leave a post whose author's state does not name it.
a_post_that_its_author_does_not_own(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob, _} = clients(Config),
    Lost = fun() ->
        {Name, ?HOST} = twitter_cases:user(Alice),
        States = twitter_stored:all(Server, pubsub_state),
        [State] = [State || #pubsub_state{stateid = {{User, _, _}, _}} = State <- States, User =:= Name],
        ok = twitter_stored:call(Server, dirty_write, [State#pubsub_state{items = []}])
    end,
    ok = Lost(),
    ?assertEqual(posts(Config), twitter_reading:posts(Bob, ?FRIENDS)),
    ok = twitter_requests:retract(Alice, <<"a">>),
    ?assertEqual([{retract, twitter_client:bare(Alice), <<"a">>}], twitter_events:posts(Server, Bob)),
    ?assertEqual(tl(posts(Config)), twitter_reading:posts(Bob, ?FRIENDS)),
    ?assertEqual(<<"item-not-found">>, outcome(request(retract, Config))),
    ok = twitter_requests:purge(Alice),
    ok = forget(Config),
    ?assertEqual([], twitter_reading:posts(Bob, ?FRIENDS)),
    ok = works(Config, Alice, Bob, []).

%% Nobody finds them, as nobody can say by whom they are; nor does his next post stand beside them.
posts_of_which_nobody_is_the_owner(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob, _} = clients(Config),
    Nidx = integer_to_list(element(2, (twitter_stored:post(Server, twitter_client:bare(Alice), <<"a">>))#pubsub_item.itemid)),
    Change = fun(Owner) ->
        ok = twitter_stored:sql(Server, ["DELETE FROM pubsub_state WHERE nodeid=", Nidx]),
        ok = twitter_stored:sql(Server, [
            "INSERT INTO pubsub_state(nodeid, jid, affiliation, subscriptions) VALUES (", Nidx, ", ", Owner, ", '')"
        ])
    end,
    lists:foreach(
        fun(Owner) ->
            ok = Change(Owner),
            ok = forget(Config),
            ?assertEqual({Owner, []}, {Owner, twitter_reading:posts(Bob, ?FRIENDS)}),
            ?assertEqual({Owner, []}, {Owner, twitter_reading:posts(Alice, ?MINE)})
        end,
        [["'", twitter_client:bare(Alice), "', 'n'"], ["'", twitter_client:bare(Bob), "', 'o'"]]
    ),
    ?assertEqual([<<"new">>], [twitter_requests:publish(Alice, <<"new">>, <<"Hello">>)]),
    ?assertEqual([<<"new">>], twitter_reading:ids(Bob, ?FRIENDS)),
    ok = forget(Config),
    ?assertEqual([<<"new">>], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual([], twitter_stored:rows(Server, ["SELECT itemid FROM pubsub_item WHERE nodeid=", Nidx])).

%% As by several nodes of a cluster: a writer makes one at a time.
a_node_is_made_by_several_at_once(Config) ->
    Server = twitter_cases:server(Config),
    lists:foreach(
        fun(_) ->
            {Name, ?HOST} = User = twitter_users:fresh(Server, <<"dave">>),
            Jid = twitter_users:jid(User),
            Owner = twitter_server:call(Server, jid, make, [Name, ?HOST]),
            Create = fun() -> twitter_server:call(Server, twitter_storage, create, [<<"pubsub.localhost">>, Jid, Owner]) end,
            Made = twitter_cases:together(lists:duplicate(5, Create)),
            ?assertMatch([{ok, _}], lists:usort(Made)),
            [{ok, Nidx} | _] = Made,
            Node = [<<"/twitter/">>, Jid, <<"/MyStream">>],
            Number = integer_to_list(Nidx),
            ?assertMatch([_], twitter_stored:rows(Server, ["SELECT nodeid FROM pubsub_node WHERE node='", Node, "'"])),
            ?assertMatch([_], twitter_stored:rows(Server, ["SELECT jid FROM pubsub_state WHERE nodeid=", Number])),
            Client = twitter_users:login(Server, User),
            _ = twitter_requests:publish(Client, <<"a">>, <<"Hello">>),
            ?assertEqual([<<"a">>], twitter_reading:ids(Client, ?MINE)),
            ok = twitter_client:close(Client)
        end,
        lists:seq(1, 5)
    ).

%%% Requests

request(publish, Config) ->
    {Alice, _, _} = clients(Config),
    twitter_requests:pubsub(Alice, set, [
        "<publish node='/twitter/MyStream'><item id='x'>", ?SECRET, "</item></publish>"
    ]);
request(retract, Config) ->
    {Alice, _, _} = clients(Config),
    twitter_requests:pubsub(Alice, set, ["<retract node='/twitter/MyStream'><item id='a'/></retract>"]);
request(purge, Config) ->
    {Alice, _, _} = clients(Config),
    twitter_requests:owner(Alice, set, ["<purge node='/twitter/MyStream'/>"]);
request(items, Config) ->
    {_, Bob, _} = clients(Config),
    twitter_requests:items(Bob, ?FRIENDS);
request(rows, Config) ->
    {_, Bob, _} = clients(Config),
    twitter_requests:rows(Bob, ?FRIENDS);
request(friends, Config) ->
    {_, Bob, _} = clients(Config),
    twitter_requests:rows(Bob, <<"/twitter/MyFriends">>).

%% The request is not sent back.
outcome(Answer) ->
    case twitter_answers:refusal(Answer) of
        none ->
            read;
        <<"internal-server-error">> ->
            <<"Database failure">> = twitter_answers:error_text(Answer),
            [#xmlel{name = <<"error">>}] = Answer#xmlel.children,
            failed;
        Other ->
            Other
    end.

others_work(Server, Bob) ->
    Newcomer = twitter_users:login(Server, twitter_users:fresh(Server, <<"dave">>)),
    Message = ["<message to='", twitter_client:jid(Bob), "' id='hello'><body>Hello</body></message>"],
    ok = twitter_client:send(Newcomer, Message),
    IsMessage = fun(Stanza) -> fxml:get_tag_attr_s(<<"id">>, Stanza) =:= <<"hello">> end,
    #xmlel{} = twitter_client:expect(Bob, IsMessage),
    twitter_client:close(Newcomer).

works(Config, Alice, Bob, Posts) ->
    Server = twitter_cases:server(Config),
    ?assertEqual(Posts, twitter_reading:posts(Bob, ?FRIENDS)),
    _ = twitter_events:received(Server, Bob),
    Id = twitter_requests:publish(Alice, <<"Here we are again">>),
    ?assertMatch([{item, _, Id, _}], twitter_events:posts(Server, Bob)),
    ?assertEqual(Posts ++ [{twitter_client:bare(Alice), Id}], twitter_reading:posts(Bob, ?FRIENDS)),
    twitter_ordinary:check(Server).

%%% Storage and log

forget(Config) ->
    {Alice, _, _} = clients(Config),
    twitter_cases:forget(Config, twitter_client:bare(Alice)).

%% What ejabberd remembers of rosters and blocks. Mnesia is read past that.
forget_lists(Server) ->
    Caches = [roster_cache, roster_item_cache, privacy_cache, privacy_list_cache],
    [ok = twitter_server:call(Server, ets_cache, clear, [Cache]) || Cache <- Caches, twitter_server:storage(Server) =/= mnesia],
    ok.

%% So many errors were logged, and nothing of what was posted. What ejabberd's own modules say does not count.
nothing_else(Log, Count) ->
    {Ours, Others} = lists:partition(
        fun(Entry) -> re:run(Entry, "^[^\n]*(A request of|A post of|Storage of posts)") =/= nomatch end, twitter_log:errors(Log)
    ),
    case twitter_database:is_sql() of
        false -> ?assertEqual(Count, length(Ours));
        %% Of some requests ejabberd itself says that they failed.
        true -> ?assert(lists:member(length(Ours), lists:seq(1, Count)))
    end,
    ?assertEqual([], [Entry || Entry <- Ours, binary:match(Entry, ?SECRET) =/= nomatch]),
    Stock = "Hook .* crashed when running mod_(pubsub|roster|privacy)|SQL (query|transaction)|Transaction aborted|Got (mod_)?(roster|privacy)",
    ?assertEqual([], [Entry || Entry <- Others, re:run(Entry, Stock) =:= nomatch]),
    ok.

clients(Config) ->
    proplists:get_value(clients, Config).

posts(Config) ->
    proplists:get_value(posts, Config).
