%%% Nodes that come, go, are killed, and lose each other, while people write and read: no post is lost whose answer was
%%% sent, all pages are the same in the end, and nobody gets what is not for him.
-module(cluster_faults_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0, suite/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    a_node_joins_while_posts_go_on/1,
    a_node_leaves_in_good_order/1,
    a_node_is_killed_under_load/1,
    the_network_is_split_and_heals/1,
    a_split_costs_nothing_with_sql/1,
    who_is_online_on_two_nodes_misses_nothing/1,
    who_was_on_a_node_that_was_killed_is_sent_what_came_since/1
]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(HOST, <<"localhost">>).
-define(AUTHORS, 5).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [
        a_node_joins_while_posts_go_on,
        a_node_leaves_in_good_order,
        a_node_is_killed_under_load,
        who_is_online_on_two_nodes_misses_nothing,
        who_was_on_a_node_that_was_killed_is_sent_what_came_since
    ] ++
        twitter_database:only(mnesia, "what a split costs with Mnesia", [the_network_is_split_and_heals]) ++
        twitter_database:only(sql, "what a split costs with SQL", [a_split_costs_nothing_with_sql]).

init_per_testcase(Case, Config) ->
    Dir = filename:join(proplists:get_value(priv_dir, Config), Case),
    Own = lists:keystore(priv_dir, 1, Config, {priv_dir, Dir}),
    twitter_clustered:start(Own, names(Case), #{twitter => #{catch_up => 100}}).

names(a_node_leaves_in_good_order) -> [a, b, c];
names(_) -> [a, b].

end_per_testcase(_Case, Config) ->
    twitter_clustered:stop(Config).

%%% Nodes come and go

a_node_joins_while_posts_go_on(Config) ->
    {Alice, Bob, Eve} = people(Config),
    %% Many, so that there is always somebody whose post is being stored.
    Others = [twitter_users:fresh(server(Config, a), <<"author">>) || _ <- lists:seq(1, ?AUTHORS)],
    [ok = twitter_users:befriend(server(Config, a), Other, Bob) || Other <- Others],
    Load = [load(<<Author/binary, (atom_to_binary(Name))/binary>>, login(Config, Name, Whom))
            || {Author, _} = Whom <- [Alice | Others], Name <- [a, b]],
    More = twitter_clustered:add(Config, c, #{}),
    OnC = login(More, c, Bob),
    Stranger = login(More, c, Eve),
    %% What is answered from now on, the new node shows at once.
    Writer = login(Config, a, Alice),
    [
        begin
            Id = <<"now", (integer_to_binary(N))/binary>>,
            _ = twitter_requests:publish(Writer, Id, <<"Now">>),
            %% By its id: more posts than a page has may have come since.
            ?assertEqual([Id], twitter_reading:ids(OnC, ?FRIENDS, #{ids => [Id]}))
        end
     || N <- lists:seq(1, 5)
    ],
    Acknowledged = lists:append([unload(Each) || Each <- Load]),
    all_read(More, [a, b, c], Bob, [<<"now", (integer_to_binary(N))/binary>> || N <- lists:seq(1, 5)] ++ Acknowledged),
    ?assertEqual([], twitter_reading:ids(Stranger, ?FRIENDS)),
    ?assertEqual([], twitter_events:posts(server(More, c), Stranger)),
    twitter_server:stop(server(More, c)).

a_node_leaves_in_good_order(Config) ->
    {Alice, Bob, Eve} = people(Config),
    Writers = [{Name, login(Config, Name, Alice)} || Name <- [a, b]],
    First = login(Config, a, Alice),
    _ = twitter_requests:publish(login(Config, c, Alice), <<"c">>, <<"From c">>),
    Load = [load(Name, Writer) || {Name, Writer} <- Writers],
    ok = twitter_clustered:leave(Config, c),
    ok = twitter_clustered:await_members(Config, [a, b]),
    _ = twitter_requests:publish(First, <<"after">>, <<"After">>),
    Acknowledged = lists:append([unload(Each) || Each <- Load]),
    all_read(Config, [a, b], Bob, [<<"after">>, <<"c">> | Acknowledged]),
    ?assertEqual([], twitter_reading:ids(login(Config, b, Eve), ?FRIENDS)).

a_node_is_killed_under_load(Config) ->
    {Alice, Bob, Eve} = people(Config),
    Writers = [{Name, login(Config, Name, Alice)} || Name <- [a, b]],
    First = login(Config, a, Alice),
    Reader = login(Config, a, Bob),
    Load = [load(Name, Writer) || {Name, Writer} <- Writers],
    _ = [twitter_client:expect(Reader, twitter_events:is_event(?FRIENDS, <<Name/binary, "20">>)) || Name <- [<<"a">>, <<"b">>]],
    ok = twitter_server:kill9(server(Config, b)),
    ok = twitter_clustered:await_members(Config, [a]),
    _ = twitter_requests:publish(First, <<"after">>, <<"After">>),
    Acknowledged = [<<"after">> | lists:append([unload(Each) || Each <- Load])],
    all_read(Config, [a], Bob, Acknowledged),
    ok = twitter_server:restart(server(Config, b)),
    ok = twitter_clustered:await_members(Config),
    all_read(Config, [a, b], Bob, Acknowledged),
    ?assertEqual([], twitter_reading:ids(login(Config, b, Eve), ?FRIENDS)).

%%% The network

%% With Mnesia an admin starts one side again, whose tables are then those of the other.
the_network_is_split_and_heals(Config) ->
    {Alice, Bob, _Eve} = people(Config),
    Carol = twitter_users:fresh(server(Config, a), <<"carol">>),
    ok = twitter_users:befriend(server(Config, a), Alice, Carol),
    OnA = login(Config, a, Alice),
    OnB = login(Config, b, Alice),
    Reader = login(Config, b, Bob),
    _ = twitter_requests:publish(OnA, <<"before">>, <<"Before">>),
    ?assertEqual([<<"before">>], twitter_reading:ids(Reader, ?FRIENDS)),
    ok = twitter_clustered:split(Config, {[a], [b]}),
    %% Each side goes on for itself, and waits for nobody.
    _ = twitter_requests:publish(OnA, <<"on a">>, <<"On a">>),
    _ = twitter_requests:publish(OnB, <<"on b">>, <<"On b">>),
    ?assertEqual([<<"before">>, <<"on a">>], ids(Config, a, Bob)),
    ?assertEqual([<<"before">>, <<"on b">>], ids(Config, b, Bob)),
    %% Who loses the right on one side finds nothing on either, once they are one again.
    ok = twitter_users:set_contact(server(Config, a), Alice, Carol, none),
    ok = twitter_clustered:heal(Config),
    %% They are connected, but their tables differ: each shows what it has.
    _ = twitter_requests:publish(OnA, <<"healed">>, <<"Healed">>),
    ?assertEqual([<<"before">>, <<"on b">>], ids(Config, b, Bob)),
    ok = twitter_server:restart(server(Config, b)),
    ok = twitter_clustered:await_members(Config),
    Expected = [<<"before">>, <<"on a">>, <<"healed">>],
    [?assertEqual(Expected, ids(Config, Name, Bob)) || Name <- [a, b]],
    [?assertEqual([], ids(Config, Name, Carol)) || Name <- [a, b]],
    Gone = login(Config, b, Carol),
    Here = login(Config, b, Bob),
    _ = twitter_events:posts(server(Config, b), Here),
    _ = twitter_requests:publish(OnA, <<"one again">>, <<"One again">>),
    ?assertMatch([{item, _, <<"one again">>, _}], twitter_events:posts(server(Config, b), Here)),
    ?assertEqual([], twitter_events:posts(server(Config, b), Gone)),
    [?assertEqual(Expected ++ [<<"one again">>], ids(Config, Name, Bob)) || Name <- [a, b]].

%% The database is one for both sides. They have stale pages of each other only as long as they are split.
a_split_costs_nothing_with_sql(Config) ->
    {Alice, Bob, Eve} = people(Config),
    OnA = login(Config, a, Alice),
    OnB = login(Config, b, Alice),
    Readers = [{Name, login(Config, Name, Bob)} || Name <- [a, b]],
    Read = fun() -> [lists:sort(twitter_reading:ids(Reader, ?FRIENDS)) || {_, Reader} <- Readers] end,
    _ = twitter_requests:publish(OnA, <<"1">>, <<"Before">>),
    ?assertEqual([[<<"1">>], [<<"1">>]], Read()),
    ok = twitter_clustered:split(Config, {[a], [b]}),
    _ = twitter_requests:publish(OnA, <<"2">>, <<"On a">>),
    _ = twitter_requests:publish(OnB, <<"3">>, <<"On b">>),
    ok = twitter_requests:retract(OnB, <<"1">>),
    ok = twitter_clustered:heal(Config),
    ok = twitter_clustered:await_connected(Config),
    ?assertEqual([[<<"2">>, <<"3">>], [<<"2">>, <<"3">>]], Read()),
    %% Mnesia is still split, and an admin has done nothing yet.
    _ = twitter_requests:publish(OnA, <<"4">>, <<"After">>),
    ?assertEqual([[<<"2">>, <<"3">>, <<"4">>], [<<"2">>, <<"3">>, <<"4">>]], Read()),
    ok = twitter_server:restart(server(Config, b)),
    ok = twitter_clustered:await_members(Config),
    [?assertEqual([<<"2">>, <<"3">>, <<"4">>], lists:sort(ids(Config, Name, Bob))) || Name <- [a, b]],
    [?assertEqual([], ids(Config, Name, Eve)) || Name <- [a, b]].

%%% Who was here

who_is_online_on_two_nodes_misses_nothing(Config) ->
    {Alice, Bob, _Eve} = people(Config),
    Writer = login(Config, a, Alice),
    Phone = login(Config, a, Bob),
    _ = twitter_requests:publish(Writer, <<"1">>, <<"To his phone">>),
    ?assertEqual([<<"1">>], pushed(Config, a, Phone)),
    ok = twitter_server:settle(server(Config, b), <<"pubsub.localhost">>),
    %% He has had that.
    Desk = login(Config, b, Bob),
    ?assertEqual([], pushed(Config, b, Desk)),
    ok = twitter_client:close(Desk),
    %% He has not left.
    _ = twitter_requests:publish(Writer, <<"2">>, <<"To his phone">>),
    ?assertEqual([<<"2">>], pushed(Config, a, Phone)),
    %% Else it is pushed to whoever is there when its turn comes.
    ok = twitter_server:settle(server(Config, b), <<"pubsub.localhost">>),
    Again = login(Config, b, Bob),
    ?assertEqual([], pushed(Config, b, Again)),
    ok = twitter_client:close(Phone),
    _ = twitter_requests:publish(Writer, <<"3">>, <<"To his desk">>),
    ?assertEqual([<<"3">>], pushed(Config, b, Again)),
    ok = twitter_client:close(Again),
    ok = await_offline(Config, Bob),
    _ = twitter_requests:publish(Writer, <<"4">>, <<"To nobody">>),
    Back = login(Config, a, Bob),
    ?assertEqual([<<"4">>], pushed(Config, a, Back)).

who_was_on_a_node_that_was_killed_is_sent_what_came_since(Config) ->
    {Alice, Bob, _Eve} = people(Config),
    Writer = login(Config, a, Alice),
    Reader = login(Config, b, Bob),
    _ = twitter_requests:publish(Writer, <<"1">>, <<"One">>),
    ?assertEqual([<<"1">>], pushed(Config, b, Reader)),
    ok = twitter_server:kill9(server(Config, b)),
    ok = twitter_clustered:await_members(Config, [a]),
    ok = await_offline(Config, a, Bob),
    _ = twitter_requests:publish(Writer, <<"2">>, <<"Two">>),
    Back = login(Config, a, Bob),
    ?assert(lists:member(<<"2">>, pushed(Config, a, Back))).

%%% Helpers

server(Config, Name) ->
    twitter_clustered:server(Config, Name).

%% An author, his friend, and one who is none.
people(Config) ->
    Server = server(Config, a),
    [Alice, Bob, Eve] = [twitter_users:fresh(Server, Name) || Name <- [<<"alice">>, <<"bob">>, <<"eve">>]],
    ok = twitter_users:befriend(Server, Alice, Bob),
    {Alice, Bob, Eve}.

login(Config, Name, User) ->
    twitter_users:login(server(Config, Name), User, #{resource => integer_to_binary(erlang:unique_integer([positive]))}).

%% What somebody who comes for it finds.
ids(Config, Name, User) ->
    Client = login(Config, Name, User),
    Ids = twitter_reading:ids(Client, ?FRIENDS),
    ok = twitter_client:close(Client),
    Ids.

pushed(Config, Name, Client) ->
    [Id || {item, _, Id, _} <- twitter_events:posts(server(Config, Name), Client)].

all_read(Config, Names, User, Acknowledged) ->
    Streams = [
        begin
            Client = login(Config, Name, User),
            Stream = [Id || {_, Id, _} <- twitter_reading:stream(Client, ?FRIENDS)],
            ok = twitter_client:close(Client),
            Stream
        end
     || Name <- Names
    ],
    %% Where something lacks, and whether that node has it in storage.
    Lacking = [{Name, Id, is_stored(Config, Name, Id)} || {Name, Stream} <- lists:zip(Names, Streams), Id <- Acknowledged -- Stream],
    ?assertEqual([], Lacking),
    [?assertEqual(lists:sort(Stream), lists:usort(Stream)) || Stream <- Streams],
    ?assertEqual(1, length(lists:usort(Streams))).

is_stored(Config, Name, Id) ->
    Server = server(Config, Name),
    case twitter_server:storage(Server) of
        mnesia ->
            Keys = twitter_server:call(Server, mnesia, dirty_all_keys, [pubsub_item]),
            lists:keymember(Id, 1, Keys);
        _ ->
            unknown
    end.

await_offline(Config, User) ->
    lists:foreach(fun(Name) -> ok = await_offline(Config, Name, User) end, twitter_clustered:names(Config)).

await_offline(Config, Name, {User, Host} = Whom) ->
    case twitter_server:call(server(Config, Name), ejabberd_sm, get_user_resources, [User, Host]) of
        [] -> ok;
        _ -> receive after 10 -> await_offline(Config, Name, Whom) end
    end.

%% Posts go on until they are to end, or cannot.
load(Name, Writer) when is_atom(Name) ->
    load(atom_to_binary(Name), Writer);
load(Prefix, Writer) ->
    spawn_monitor(fun() -> exit({acknowledged, publish(Prefix, Writer, 1, [])}) end).

publish(Name, Writer, Number, Before) ->
    receive
        enough -> Before
    after 0 ->
        Id = <<Name/binary, (integer_to_binary(Number))/binary>>,
        try twitter_requests:publish(Writer, Id, <<"Text ", Id/binary>>) of
            Id -> publish(Name, Writer, Number + 1, [Id | Before])
        catch
            %% The connection has ended: this one has no answer.
            _:_ -> Before
        end
    end.

unload({Pid, Monitor}) ->
    Pid ! enough,
    receive
        {'DOWN', Monitor, process, Pid, {acknowledged, Ids}} -> Ids
    end.
