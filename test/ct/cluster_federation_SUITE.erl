%%% A cluster, and servers elsewhere: it makes no difference on which node somebody is. Two nodes, another server with the
%%% plugin, and a stock one.
-module(cluster_federation_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, suite/0, init_per_suite/1, end_per_suite/1]).
-export([
    servers_of_a_cluster_have_one_secret/1,
    both_nodes_publish/1,
    edits_and_retractions_from_another_node/1,
    what_is_heard_reaches_both_nodes/1,
    who_was_removed_on_one_node_gets_nothing_of_the_other/1,
    who_has_removed_the_author_on_one_node_gets_nothing_on_the_other/1,
    what_all_nodes_owe_comes_when_any_is_reached/1,
    what_a_killed_node_owed_is_found_with_the_next_post/1,
    no_error_but_of_killed_processes/1
]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(BACK_MS, 30_000).
-define(LOOK_MS, 20).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [
        servers_of_a_cluster_have_one_secret,
        both_nodes_publish,
        edits_and_retractions_from_another_node,
        what_is_heard_reaches_both_nodes,
        who_was_removed_on_one_node_gets_nothing_of_the_other,
        who_has_removed_the_author_on_one_node_gets_nothing_on_the_other,
        what_all_nodes_owe_comes_when_any_is_reached,
        what_a_killed_node_owed_is_found_with_the_next_post,
        no_error_but_of_killed_processes
    ].

init_per_suite(Config) ->
    {ok, _} = application:ensure_all_started(xmpp),
    twitter_federation:start(Config, #{a => #{}, a_2 => #{}, b => #{}, c => twitter_federation:stock()}).

end_per_suite(Config) ->
    twitter_federation:stop(Config).

%% Each answers for what the other one has said.
servers_of_a_cluster_have_one_secret(Config) ->
    twitter_federation:different_secrets(Config).

%%% From the cluster

%% In their order, once each.
both_nodes_publish(Config) ->
    {Alice, [Bob, Carol]} = friends(Config, [b, c]),
    Strangers = [client(Config, Name) || Name <- [b, c]],
    Ids = publish_in_turns(on_both(Config, Alice), 20),
    [?assertEqual({Name, Ids}, {Name, pushed(Config, Reader)}) || {Name, Reader} <- [{b, Bob}, {c, Carol}]],
    [?assertEqual([], pushed(Config, Stranger)) || Stranger <- Strangers],
    ?assertEqual(Ids, twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual(Ids, twitter_reading:ids({Carol, twitter_federation:service(a)}, ?FRIENDS)),
    [?assertEqual([], twitter_reading:ids(Stranger, ?FRIENDS)) || Stranger <- lists:sublist(Strangers, 1)].

edits_and_retractions_from_another_node(Config) ->
    {Alice, Readers} = friends(Config, [b, c]),
    [OnA, OnB] = on_both(Config, Alice),
    [begin
        _ = twitter_requests:publish(One, Id, <<"Frist">>),
        _ = twitter_requests:publish(Other, Id, <<"First">>),
        _ = twitter_requests:publish(One, <<Id/binary, "x">>, <<"Gone">>),
        ok = twitter_requests:retract(Other, <<Id/binary, "x">>)
    end || {Id, One, Other} <- [{<<"1">>, OnA, OnB}, {<<"2">>, OnB, OnA}]],
    Author = twitter_users:jid(Alice),
    lists:foreach(fun(Reader) ->
        %% What was edited or deleted before it was sent need not be sent.
        Entries = twitter_federation:posts(Config, a, Reader),
        Of = fun(Id) -> [Entry || Entry <- Entries, element(3, Entry) =:= Id] end,
        [begin
            ?assertMatch([{item, Author, Id, [{xmlcdata, <<"First">>}]} | _], lists:reverse(Of(Id))),
            ?assertNotMatch([{item, _, _, _} | _], lists:reverse(Of(<<Id/binary, "x">>)))
        end || Id <- [<<"1">>, <<"2">>]]
    end, Readers),
    ?assertEqual([{Author, Id, <<"First">>} || Id <- [<<"1">>, <<"2">>]], twitter_reading:entries(hd(Readers), ?FRIENDS)).

who_was_removed_on_one_node_gets_nothing_of_the_other(Config) ->
    {Alice, [Bob, Dave, Carol]} = friends(Config, [b, b, c]),
    [OnA, OnB] = on_both(Config, Alice),
    _ = twitter_requests:publish(OnB, <<"1">>, <<"For all">>),
    [?assertEqual([<<"1">>], pushed(Config, Reader)) || Reader <- [Bob, Dave, Carol]],
    [begin
        ok = twitter_users:remove_contact(OnA, twitter_client:bare(Reader)),
        ok = twitter_clustered:await_contact(Config, Alice, twitter_cases:user(Reader), none)
    end || Reader <- [Dave, Carol]],
    _ = twitter_requests:publish(OnB, <<"2">>, <<"For bob">>),
    _ = twitter_requests:publish(OnA, <<"3">>, <<"For bob">>),
    ?assertEqual([<<"2">>, <<"3">>], pushed(Config, Bob)),
    [?assertEqual([], pushed(Config, Reader)) || Reader <- [Dave, Carol]],
    ?assertEqual([], twitter_reading:ids(Dave, ?FRIENDS)),
    [?assertEqual([], twitter_reading:ids({Reader, twitter_federation:service(a)}, ?FRIENDS)) || Reader <- [Dave, Carol]],
    ?assertEqual([<<"1">>, <<"2">>, <<"3">>], twitter_reading:ids(Bob, ?FRIENDS)).

%%% To the cluster

what_is_heard_reaches_both_nodes(Config) ->
    {Alice, [Bob]} = friends(Config, [b]),
    Readers = on_both(Config, Alice),
    Strangers = on_both(Config, person(Config, a)),
    Author = twitter_client:bare(Bob),
    _ = twitter_requests:publish_all(Bob, [<<"1">>, <<"2">>, <<"3">>]),
    [?assertEqual([<<"1">>, <<"2">>, <<"3">>], pushed(Config, b, Reader)) || Reader <- Readers],
    <<"1">> = twitter_requests:publish(Bob, <<"1">>, <<"Better">>),
    ok = twitter_requests:retract(Bob, <<"2">>),
    [
        ?assertEqual([{item, Author, <<"1">>, [{xmlcdata, <<"Better">>}]}, {retract, Author, <<"2">>}],
                     twitter_federation:posts(Config, b, Reader))
     || Reader <- Readers
    ],
    [?assertEqual([{Author, <<"1">>, <<"Better">>}, {Author, <<"3">>, <<"Post 3">>}], twitter_reading:entries(Reader, Node))
     || Reader <- Readers, Node <- [?FRIENDS, of_friend(Bob)]],
    [begin
        ?assertEqual([], pushed(Config, b, Stranger)),
        ?assertEqual([], twitter_reading:ids(Stranger, ?FRIENDS))
    end || Stranger <- Strangers].

who_has_removed_the_author_on_one_node_gets_nothing_on_the_other(Config) ->
    {Alice, [Bob]} = friends(Config, [b]),
    Ann = person(Config, a),
    ok = befriend(Config, Ann, twitter_cases:user(Bob)),
    Readers = on_both(Config, Alice),
    [OnA, OnB] = on_both(Config, Ann),
    _ = twitter_requests:publish(Bob, <<"1">>, <<"For both">>),
    [?assertEqual([<<"1">>], pushed(Config, b, Reader)) || Reader <- [OnA, OnB | Readers]],
    ok = twitter_users:remove_contact(OnB, twitter_client:bare(Bob)),
    ok = twitter_clustered:await_contact(Config, Ann, twitter_cases:user(Bob), none),
    _ = twitter_requests:publish(Bob, <<"2">>, <<"For Alice">>),
    [?assertEqual([<<"2">>], pushed(Config, b, Reader)) || Reader <- Readers],
    [begin
        ?assertEqual([], pushed(Config, b, Reader)),
        ?assertEqual([], twitter_reading:ids(Reader, ?FRIENDS))
    end || Reader <- [OnA, OnB]].

%%% What is owed

%% The other server speaks to one of the nodes, and has what all of them owed: none waits until it would have tried again.
what_all_nodes_owe_comes_when_any_is_reached(Config) ->
    Bob = client(Config, b),
    Authors = authors_of_both(Config, twitter_cases:user(Bob)),
    _ = [twitter_requests:publish(OnA, <<"before">>, <<"Before">>) || {_, [OnA, _]} <- Authors],
    [#xmlel{} = twitter_federation:await(Bob, <<"before">>, ?BACK_MS) || _ <- Authors],
    ok = cut(Config),
    [_ = publish_in_turns(Clients, 4) || {_, Clients} <- Authors],
    %% So often in a row nothing was reached, that the next time is far off.
    ok = await_failures(Config, 6),
    ok = mend(Config),
    ok = twitter_federation:route(Config, b, <<"<message from='b.test' to='a.test'><body>Here I am</body></message>">>),
    Since = erlang:monotonic_time(millisecond),
    [#xmlel{} = twitter_federation:await(Bob, <<"4">>, ?BACK_MS) || _ <- Authors],
    ?assert(erlang:monotonic_time(millisecond) - Since < 10_000),
    %% Nothing comes twice.
    ?assertEqual([], [Id || Id <- pushed(Config, Bob), Id =:= <<"4">>]),
    [?assertEqual([<<"before">>, <<"1">>, <<"2">>, <<"3">>, <<"4">>], twitter_reading:ids(Bob, of_friend(OnA)))
     || {_, [OnA, _]} <- Authors].

%% Twice, so that the node that is left has sent of them all before.
what_a_killed_node_owed_is_found_with_the_next_post(Config) ->
    Bob = client(Config, b),
    Dave = client(Config, b),
    Authors = [OnA || {_, [OnA, _]} <- authors_of_both(Config, twitter_cases:user(Bob))],
    _ = [publish_and_await(Author, <<"1">>, Bob) || Author <- Authors],
    _ = lists:foldl(fun([Owed, Next], Before) ->
        ok = cut(Config),
        [_ = twitter_requests:publish(Author, Owed, <<"Owed">>) || Author <- Authors],
        ok = twitter_server:kill9(twitter_federation:server(Config, a_2)),
        ok = twitter_clustered:await_members(Config, [a]),
        ok = mend(Config),
        _ = [publish_and_await(Author, Next, Bob) || Author <- Authors],
        ok = twitter_federation:settle(Config, a, Bob),
        All = Before ++ [Owed, Next],
        [?assertEqual(All, twitter_reading:ids(Bob, of_friend(Author))) || Author <- Authors],
        ok = twitter_server:restart(twitter_federation:server(Config, a_2)),
        ok = twitter_clustered:await_members(Config),
        All
    end, [<<"1">>], [[<<"2">>, <<"3">>], [<<"4">>, <<"5">>], [<<"6">>, <<"7">>]]),
    ?assertEqual([], twitter_reading:ids(Dave, ?FRIENDS)),
    ?assertEqual([], pushed(Config, Dave)).

no_error_but_of_killed_processes(Config) ->
    [ok = twitter_cases:no_error_but_of_killed_processes([{server, twitter_federation:server(Config, Name)}])
     || Name <- [a, a_2, b]],
    ok.

%%% Helpers

%% Somebody who can log in on every node.
person(Config, Name) ->
    User = twitter_federation:user(Config, Name, <<"somebody">>),
    _ = [ok = twitter_clustered:await_account(Config, User) || Name =:= a],
    User.

client(Config, Name) ->
    twitter_federation:login(Config, person(Config, Name)).

on_both(Config, User) ->
    [twitter_federation:login_on(Config, Name, User) || Name <- [a, a_2]].

%% Both rosters say so, on all nodes.
befriend(Config, User, Contact) ->
    ok = twitter_federation:befriend(Config, User, Contact),
    twitter_clustered:await_contact(Config, User, Contact, both).

%% Alice of the cluster, and friends of hers elsewhere.
friends(Config, Names) ->
    Alice = person(Config, a),
    Readers = [client(Config, Name) || Name <- Names],
    [ok = befriend(Config, Alice, twitter_cases:user(Reader)) || Reader <- Readers],
    {Alice, Readers}.

%% For each node one author whose changes it puts in order, logged in on both: friends of that reader.
authors_of_both(Config, Reader) ->
    authors_of_both(Config, Reader, #{}).

authors_of_both(_Config, _Reader, Found) when map_size(Found) =:= 2 ->
    maps:to_list(Found);
authors_of_both(Config, Reader, Found) ->
    Author = person(Config, a),
    Owner = twitter_clustered:owner(Config, a, twitter_users:jid(Author)),
    case Found of
        #{Owner := _} ->
            authors_of_both(Config, Reader, Found);
        _ ->
            ok = befriend(Config, Author, Reader),
            authors_of_both(Config, Reader, Found#{Owner => on_both(Config, Author)})
    end.

%% One node after the other, each as soon as the one before has answered.
publish_in_turns(Clients, Count) when is_integer(Count) ->
    publish_in_turns(Clients, [integer_to_binary(N) || N <- lists:seq(1, Count)]);
publish_in_turns([One, Other], [Id | Ids]) ->
    Id = twitter_requests:publish(One, Id, <<"Post ", Id/binary>>),
    [Id | publish_in_turns([Other, One], Ids)];
publish_in_turns(_Clients, []) ->
    [].

%% All authors use the same ids: the next one publishes when this one's post has come.
publish_and_await(Author, Id, Reader) ->
    Id = twitter_requests:publish(Author, Id, <<"Post ", Id/binary>>),
    #xmlel{} = twitter_federation:await(Reader, Id, ?BACK_MS).

pushed(Config, Reader) ->
    pushed(Config, a, Reader).

pushed(Config, From, Reader) ->
    [Id || {item, _, Id, _} <- twitter_federation:posts(Config, From, Reader)].

of_friend(Client) ->
    <<"/twitter/MyFriends/", (twitter_client:bare(Client))/binary>>.

%% What each node sends with has found so often in a row that nothing can be reached. It need not wait between.
await_failures(Config, Failures) ->
    lists:foreach(fun(Name) ->
        Server = twitter_federation:server(Config, Name),
        Table = twitter_server:call(Server, twitter_outbox, name, [<<"a.test">>]),
        case twitter_server:call(Server, twitter_outbox, link, [Table, {<<"pubsub.a.test">>, <<"b.test">>}]) of
            none -> error({owes_nothing, Name});
            Link -> await_failures(Server, Link, Failures)
        end
    end, [a, a_2]).

await_failures(Server, Link, Failures) ->
    case twitter_inside:try_again(Server, Link) of
        Failed when Failed >= Failures -> ok;
        _ -> receive after ?LOOK_MS -> await_failures(Server, Link, Failures) end
    end.

%% Nothing goes between the cluster and that server.
cut(Config) ->
    lists:foreach(fun(Name) -> ok = twitter_federation:cut(Config, Name, b) end, [a, a_2]).

mend(Config) ->
    lists:foreach(fun(Name) -> ok = twitter_federation:mend(Config, Name, b) end, [a, a_2]).
