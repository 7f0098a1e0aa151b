%%% A cluster of ejabberd's own making: whoever is on any node gets and reads what is published on any, once, at once,
%%% and nobody else does.
-module(cluster_SUITE).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/pubsub.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, groups/0, suite/0, init_per_group/2, end_per_group/2]).
-export([
    followers_on_every_node_get_it_once/1,
    edits_and_retractions_are_pushed_everywhere/1,
    pages_are_complete_with_the_answer/1,
    nodes_that_have_read_before_see_changes/1,
    what_is_in_memory_is_forgotten_everywhere/1,
    two_clients_of_one_author_on_two_nodes/1,
    readers_of_a_vhost_without_microblogs/1,
    who_was_removed_elsewhere_gets_nothing/1,
    one_message_for_each_node/1,
    an_account_deleted_elsewhere_is_gone/1,
    a_writer_that_is_killed_while_it_has_the_turn/1,
    no_error_was_logged/1
]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(HOST, <<"localhost">>).
%% It has no microblogs.
-define(PLAIN_HOST, <<"plain.example">>).
%% What is replicated at all is within milliseconds.
-define(AWAIT_MS, 20_000).

suite() ->
    [{timetrap, {seconds, 40}}].

all() ->
    [{group, two_nodes}, {group, three_nodes}].

groups() ->
    Cases = [
        followers_on_every_node_get_it_once,
        edits_and_retractions_are_pushed_everywhere,
        pages_are_complete_with_the_answer,
        nodes_that_have_read_before_see_changes,
        what_is_in_memory_is_forgotten_everywhere,
        two_clients_of_one_author_on_two_nodes,
        readers_of_a_vhost_without_microblogs,
        who_was_removed_elsewhere_gets_nothing,
        one_message_for_each_node,
        an_account_deleted_elsewhere_is_gone,
        a_writer_that_is_killed_while_it_has_the_turn,
        no_error_was_logged
    ],
    [{two_nodes, Cases}, {three_nodes, Cases}].

init_per_group(two_nodes, Config) -> start(Config, "two", [a, b]);
init_per_group(three_nodes, Config) -> start(Config, "three", [a, b, c]).

%% Each cluster has a folder of its own.
start(Config, Folder, Names) ->
    Dir = filename:join(proplists:get_value(priv_dir, Config), Folder),
    ok = filelib:ensure_path(Dir),
    twitter_clustered:start(lists:keystore(priv_dir, 1, Config, {priv_dir, Dir}), Names, #{
        hosts => [?HOST, ?PLAIN_HOST],
        options => #{host_config => #{?PLAIN_HOST => #{modules => #{mod_blocking => #{}, mod_privacy => #{}, mod_roster => #{}}}}}
    }).

end_per_group(_Nodes, Config) ->
    twitter_clustered:stop(Config).

%%% Push

followers_on_every_node_get_it_once(Config) ->
    [Alice, Bob, Carol] = users(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    Eve = user(Config, <<"eve">>),
    [Writer, Phone] = [login(Config, Name, Alice) || Name <- [a, b]],
    Readers = [{Name, login(Config, Name, User)} || User <- [Bob, Carol], Name <- names(Config)],
    Strangers = [{Name, login(Config, Name, Eve)} || Name <- names(Config)],
    _ = twitter_requests:publish(Writer, <<"1">>, <<"From a">>),
    _ = twitter_requests:publish(Phone, <<"2">>, <<"From b">>),
    Author = twitter_client:bare(Writer),
    [
        ?assertMatch([{item, Author, <<"1">>, [_]}, {item, Author, <<"2">>, [_]}], posts(Config, Name, Reader))
     || {Name, Reader} <- Readers
    ],
    %% The author's own get it under another node, but not from themselves.
    ?assertMatch([{item, Author, <<"2">>, [_]}], posts(Config, a, Writer)),
    ?assertMatch([{item, Author, <<"1">>, [_]}], posts(Config, b, Phone)),
    [?assertEqual([], posts(Config, Name, Stranger)) || {Name, Stranger} <- Strangers].

edits_and_retractions_are_pushed_everywhere(Config) ->
    [Alice, Bob] = users(Config, [<<"alice">>, <<"bob">>]),
    Eve = user(Config, <<"eve">>),
    Writers = [One, Other] = [login(Config, Name, Alice) || Name <- [a, b]],
    Readers = [{Name, login(Config, Name, Bob)} || Name <- names(Config)],
    Strangers = [{Name, login(Config, Name, Eve)} || Name <- names(Config)],
    Author = twitter_client:bare(One),
    _ = twitter_requests:publish(One, <<"1">>, <<"Frist">>),
    _ = twitter_requests:publish(Other, <<"1">>, <<"First">>),
    _ = twitter_requests:publish(One, <<"2">>, <<"Second">>),
    ok = twitter_requests:retract(Other, <<"1">>),
    ok = twitter_requests:purge(One),
    Expected = [
        {item, Author, <<"1">>, [{xmlcdata, <<"Frist">>}]},
        {item, Author, <<"1">>, [{xmlcdata, <<"First">>}]},
        {item, Author, <<"2">>, [{xmlcdata, <<"Second">>}]},
        {retract, Author, <<"1">>},
        {retract, Author, <<"2">>}
    ],
    [?assertEqual(Expected, posts(Config, Name, Reader)) || {Name, Reader} <- Readers],
    [?assertEqual([], twitter_reading:ids(Writer, ?MINE)) || Writer <- Writers],
    [?assertEqual([], posts(Config, Name, Stranger)) || {Name, Stranger} <- Strangers].

%%% Pages

pages_are_complete_with_the_answer(Config) ->
    [Alice, Bob] = users(Config, [<<"alice">>, <<"bob">>]),
    Writers = [login(Config, Name, Alice) || Name <- names(Config)],
    Readers = [login(Config, Name, Bob) || Name <- names(Config)],
    Stranger = login(Config, b, user(Config, <<"eve">>)),
    Ids = [integer_to_binary(Number) || Number <- lists:seq(1, 40)],
    lists:foldl(
        fun(Id, {[Writer | Others], Before}) ->
            _ = twitter_requests:publish(Writer, Id, <<"Text ", Id/binary>>),
            Now = Before ++ [Id],
            [?assertEqual(Now, twitter_reading:ids(Reader, ?FRIENDS)) || Reader <- Readers],
            {Others ++ [Writer], Now}
        end,
        {Writers, []},
        Ids
    ),
    [One | Others] = [twitter_reading:entries(Reader, ?FRIENDS) || Reader <- Readers],
    [?assertEqual(One, Other) || Other <- Others],
    ?assertEqual([], twitter_reading:ids(Stranger, ?FRIENDS)).

nodes_that_have_read_before_see_changes(Config) ->
    [Alice, Bob] = users(Config, [<<"alice">>, <<"bob">>]),
    Writer = login(Config, a, Alice),
    Reader = login(Config, b, Bob),
    Stranger = login(Config, b, user(Config, <<"eve">>)),
    _ = twitter_requests:publish(Writer, <<"1">>, <<"One">>),
    _ = twitter_requests:publish(Writer, <<"2">>, <<"Two">>),
    ?assertEqual([<<"1">>, <<"2">>], twitter_reading:ids(Reader, ?FRIENDS)),
    ?assertEqual([], twitter_reading:ids(Stranger, ?FRIENDS)),
    _ = twitter_requests:publish(Writer, <<"1">>, <<"Uno">>),
    ?assertEqual([[{xmlcdata, <<"Uno">>}], [{xmlcdata, <<"Two">>}]], twitter_reading:payloads(Reader, ?FRIENDS)),
    ok = twitter_requests:retract(Writer, <<"1">>),
    ?assertEqual([<<"2">>], twitter_reading:ids(Reader, ?FRIENDS)),
    ?assertEqual([], twitter_reading:ids(Stranger, ?FRIENDS)),
    ok = twitter_requests:purge(Writer),
    ?assertEqual([], twitter_reading:ids(Reader, ?FRIENDS)).

%% The table was changed by hand on one node, and the admin says so there.
what_is_in_memory_is_forgotten_everywhere(Config) ->
    [Alice, Bob] = users(Config, [<<"alice">>, <<"bob">>]),
    Writer = login(Config, a, Alice),
    Readers = [login(Config, Name, Bob) || Name <- names(Config)],
    Stranger = login(Config, b, user(Config, <<"eve">>)),
    _ = twitter_requests:publish(Writer, <<"1">>, <<"Before">>),
    Before = [[{xmlcdata, <<"Before">>}]],
    [?assertEqual(Before, twitter_reading:payloads(Reader, ?FRIENDS)) || Reader <- Readers],
    A = server(Config, a),
    Post = twitter_stored:post(A, twitter_client:bare(Writer), <<"1">>),
    After = fun(#xmlel{} = El) -> El#xmlel{children = [{xmlcdata, <<"After">>}]} end,
    ok = twitter_stored:write(A, Post#pubsub_item{payload = [After(El) || El <- Post#pubsub_item.payload]}),
    [?assertEqual(Before, twitter_reading:payloads(Reader, ?FRIENDS)) || Reader <- Readers],
    {ok, _} = twitter_server:call(A, twitter_admin, reload, [?HOST]),
    [?assertEqual([[{xmlcdata, <<"After">>}]], twitter_reading:payloads(Reader, ?FRIENDS)) || Reader <- Readers],
    ?assertEqual([], twitter_reading:ids(Stranger, ?FRIENDS)).

two_clients_of_one_author_on_two_nodes(Config) ->
    [Alice, Bob] = users(Config, [<<"alice">>, <<"bob">>]),
    Writers = [{Name, login(Config, Name, Alice)} || Name <- [a, b]],
    Readers = [{Name, login(Config, Name, Bob)} || Name <- names(Config)],
    Strangers = [login(Config, Name, user(Config, <<"eve">>)) || Name <- names(Config)],
    Number = 50,
    Write = fun({Name, Writer}) ->
        [
            twitter_requests:publish(Writer, <<(atom_to_binary(Name))/binary, (integer_to_binary(N))/binary>>, <<"x">>)
         || N <- lists:seq(1, Number)
        ]
    end,
    Written = lists:append(twitter_cases:together([fun() -> Write(Each) end || Each <- Writers])),
    [One | Others] = [ids(Config, Name, Reader) || {Name, Reader} <- Readers],
    ?assertEqual(lists:sort(Written), lists:sort(One)),
    [?assertEqual(One, Other) || Other <- Others],
    Stream = fun(Reader) -> [Id || {_, Id, _} <- twitter_reading:stream(Reader, ?FRIENDS)] end,
    [?assertEqual(One, Stream(Reader)) || {_, Reader} <- Readers],
    [?assertEqual([], twitter_reading:ids(Stranger, ?FRIENDS)) || Stranger <- Strangers],
    %% Stock pubsub's own list of them is whole, too.
    [{_, Writer} | _] = Writers,
    ok = twitter_requests:purge(Writer),
    [?assertEqual([], twitter_reading:ids(Reader, ?FRIENDS)) || {_, Reader} <- Readers].

%%% Rights

readers_of_a_vhost_without_microblogs(Config) ->
    Alice = user(Config, <<"alice">>),
    [Dave, Dan, Eve] = [user(Config, Name, ?PLAIN_HOST) || Name <- [<<"dave">>, <<"dan">>, <<"eve">>]],
    [begin
        ok = twitter_users:befriend(server(Config, a), Alice, Friend),
        ok = twitter_clustered:await_contact(Config, Alice, Friend, both)
    end || Friend <- [Dave, Dan]],
    [OnA, OnB] = [login(Config, Name, Alice) || Name <- [a, b]],
    [Readers, Strangers] = [[{Name, login(Config, Name, User)} || Name <- names(Config)] || User <- [Dave, Eve]],
    DanOnB = login(Config, b, Dan),
    ok = twitter_users:block(DanOnB, twitter_users:jid(Alice)),
    _ = twitter_requests:publish(OnA, <<"1">>, <<"From a">>),
    _ = twitter_requests:publish(OnB, <<"2">>, <<"From b">>),
    [?assertEqual({Name, [<<"1">>, <<"2">>]}, {Name, ids(Config, Name, Reader)}) || {Name, Reader} <- Readers],
    [?assertEqual([], ids(Config, Name, Stranger)) || {Name, Stranger} <- [{b, DanOnB} | Strangers]].

who_was_removed_elsewhere_gets_nothing(Config) ->
    [Alice, Bob] = users(Config, [<<"alice">>, <<"bob">>]),
    Writers = [{Name, login(Config, Name, Alice)} || Name <- [a, b]],
    Reader = login(Config, b, Bob),
    [{_, OnA}, {_, OnB}] = Writers,
    _ = twitter_requests:publish(OnB, <<"1">>, <<"For bob">>),
    ?assertMatch([{item, _, <<"1">>, _}], posts(Config, b, Reader)),
    ?assertEqual([<<"1">>], twitter_reading:ids(Reader, ?FRIENDS)),
    lists:foreach(
        fun(N) ->
            Id = integer_to_binary(N),
            %% Removed on one node, added on the other, and the other way round.
            {Off, On} = case N rem 2 of 0 -> {a, b}; 1 -> {b, a} end,
            ok = set_contact(Config, Off, Alice, Bob, none),
            ok = twitter_clustered:await_contact(Config, Alice, Bob, none),
            _ = twitter_requests:publish(OnA, <<Id/binary, "x">>, <<"Not for bob">>),
            _ = twitter_requests:publish(OnB, <<Id/binary, "y">>, <<"Not for bob">>),
            ?assertEqual([], posts(Config, b, Reader)),
            ?assertEqual([], twitter_reading:ids(Reader, ?FRIENDS)),
            ok = set_contact(Config, On, Alice, Bob, both),
            ok = twitter_clustered:await_contact(Config, Alice, Bob, both),
            _ = twitter_requests:publish(OnA, Id, <<"For bob">>),
            ?assertMatch([{item, _, Id, _}], posts(Config, b, Reader)),
            ?assert(lists:member(Id, twitter_reading:ids(Reader, ?FRIENDS)))
        end,
        lists:seq(2, 9)
    ).

an_account_deleted_elsewhere_is_gone(Config) ->
    [Alice, Bob] = users(Config, [<<"alice">>, <<"bob">>]),
    Writer = login(Config, b, Alice),
    Reader = login(Config, b, Bob),
    _ = twitter_requests:publish(Writer, <<"1">>, <<"Soon gone">>),
    ?assertEqual([<<"1">>], twitter_reading:ids(Reader, ?FRIENDS)),
    {Name, _} = Alice,
    ok = twitter_users:unregister(server(Config, a), Alice),
    ok = set_contact(Config, a, Bob, Alice, both),
    Again = twitter_users:register(server(Config, b), Name, ?HOST),
    ok = twitter_users:befriend(server(Config, a), Again, Bob),
    ok = twitter_clustered:await_contact(Config, Again, Bob, both),
    ok = twitter_clustered:await_contact(Config, Bob, Again, both),
    ?assertEqual([], twitter_reading:ids(Reader, <<"/twitter/MyFriends/", (twitter_users:jid(Again))/binary>>)),
    ?assertEqual([], twitter_reading:ids(login(Config, b, Again), ?MINE)).

%%% What it costs

%% Between nodes goes one message for a post, however many read it.
one_message_for_each_node(Config) ->
    Far = names(Config) -- [a],
    [Alice | Many] = users(Config, [<<"alice">> | lists:duplicate(60, <<"reader">>)]),
    {First, Others} = lists:split(length(Far), Many),
    Writer = login(Config, a, Alice),
    Firsts = [{Name, login(Config, Name, User)} || {Name, User} <- lists:zip(Far, First)],
    Publish = fun(Id, Readers) ->
        ok = twitter_server:call(server(Config, a), twitter_traffic, count, [?HOST]),
        _ = twitter_requests:publish(Writer, Id, <<"One message">>),
        [?assertMatch([{item, _, Id, _}], posts(Config, Name, Reader)) || {Name, Reader} <- Readers],
        twitter_server:call(server(Config, a), twitter_traffic, counted, [])
    end,
    %% The author's node is made at the first.
    _ = Publish(<<"1">>, Firsts),
    ForFew = Publish(<<"2">>, Firsts),
    Readers = Firsts ++ [{Name, login(Config, Name, Other)} || Other <- Others, Name <- Far],
    %% It is noted for each that he came, by a writer that may have to borrow the turn.
    [?assertEqual([], posts(Config, Name, Reader)) || {Name, Reader} <- Readers],
    ForMany = Publish(<<"3">>, Readers),
    ?assertEqual(length(Far), maps:get(told, ForMany)),
    ?assertEqual(ForFew, ForMany).

%%% Processes

%% Who has borrowed the turn and is killed has given it back.
a_writer_that_is_killed_while_it_has_the_turn(Config) ->
    [Alice, Bob] = users(Config, [<<"alice">>, <<"bob">>]),
    Writers = [{Name, login(Config, Name, Alice)} || Name <- [a, b]],
    Reader = login(Config, b, Bob),
    [{_, First} | _] = Writers,
    Author = twitter_client:bare(First),
    Owner = twitter_clustered:owner(Config, a, Author),
    [Borrower | _] = [Name || Name <- [a, b], twitter_clustered:node(Config, Name) =/= Owner],
    {_, OnBorrower} = lists:keyfind(Borrower, 1, Writers),
    Worker = twitter_inside:worker(server(Config, Borrower), twitter_writer, OnBorrower),
    lists:foreach(
        fun(N) ->
            Id = integer_to_binary(N),
            Killed = spawn_monitor(fun() -> twitter_inside:kill(server(Config, Borrower), Worker) end),
            %% It may be refused, but it is answered.
            _ = twitter_requests:pubsub(OnBorrower, set, twitter_requests:el(<<"publish">>, [{<<"node">>, ?MINE}], [
                twitter_requests:el(<<"item">>, [{<<"id">>, Id}], [twitter_requests:el(<<"x">>, [{<<"xmlns">>, <<"x">>}], [])])
            ])),
            {Pid, Monitor} = Killed,
            receive {'DOWN', Monitor, process, Pid, _} -> ok end
        end,
        lists:seq(1, 5)
    ),
    [_ = twitter_requests:publish(Writer, atom_to_binary(Name), <<"Still here">>) || {Name, Writer} <- Writers],
    %% What is stored is what everybody sees.
    Mine = twitter_reading:ids(First, ?MINE),
    ?assertEqual([<<"a">>, <<"b">>], Mine -- [integer_to_binary(N) || N <- lists:seq(1, 5)]),
    ?assertEqual(Mine, twitter_reading:ids(OnBorrower, ?MINE)),
    ?assertEqual(Mine, twitter_reading:ids(Reader, ?FRIENDS)).

no_error_was_logged(Config) ->
    [
        ?assertEqual({Name, []}, {Name, twitter_log:errors(twitter_log:without_killed(twitter_server:log(server(Config, Name))))})
     || Name <- names(Config)
    ].

%%% Helpers

names(Config) ->
    twitter_clustered:names(Config).

server(Config, Name) ->
    twitter_clustered:server(Config, Name).

user(Config, Name) ->
    user(Config, Name, ?HOST).

user(Config, Name, Host) ->
    User = twitter_users:fresh(server(Config, a), Name, Host),
    ok = twitter_clustered:await_account(Config, User),
    User.

%% The first shares presence with all others.
users(Config, Names) ->
    [First | Others] = Users = [user(Config, Name) || Name <- Names],
    [ok = twitter_users:befriend(server(Config, a), First, Other) || Other <- Others],
    [ok = twitter_clustered:await_contact(Config, Each, First, both) || Each <- Others],
    [ok = twitter_clustered:await_contact(Config, First, Each, both) || Each <- Others],
    Users.

login(Config, Name, User) ->
    twitter_users:login(server(Config, Name), User, #{resource => integer_to_binary(erlang:unique_integer([positive]))}).

posts(Config, Name, Client) ->
    twitter_events:posts(server(Config, Name), Client).

ids(Config, Name, Client) ->
    [Id || {item, _, Id, _} <- posts(Config, Name, Client)].

set_contact(Config, Name, User, Contact, Subscription) ->
    twitter_users:set_contact(server(Config, Name), User, twitter_users:jid(Contact), Subscription).
