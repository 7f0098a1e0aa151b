%%% A server that already has pubsub data switches to `nodetree: twitter' and back, and loses
%%% none of it.
-module(switch_SUITE).

-include_lib("fast_xml/include/fxml.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    data_outlives_the_switch/1,
    names_below_twitter_come_back/1,
    stored_posts_are_not_listed/1,
    stored_posts_outlive_a_node_of_that_name/1
]).

-define(SERVICE, <<"pubsub.localhost">>).
-define(STOCK, #{twitter => absent, pubsub => #{nodetree => tree}}).
-define(PLUGIN, #{twitter => #{}, pubsub => #{}}).

all() ->
    [
        data_outlives_the_switch,
        names_below_twitter_come_back,
        stored_posts_are_not_listed,
        stored_posts_outlive_a_node_of_that_name
    ].

init_per_suite(Config) -> Config.

end_per_suite(_Config) -> ok.

%% What one case makes would be in the way of the next.
init_per_testcase(Case, Config) ->
    Options = #{dir => proplists:get_value(priv_dir, Config), name => atom_to_list(Case)},
    {ok, Server} = twitter_server:start(maps:merge(?STOCK, Options)),
    [{server, Server} | Config].

end_per_testcase(_Case, Config) ->
    twitter_cases:stop(Config).

%%% Cases

data_outlives_the_switch(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, _] = Users = users(Server),
    [AliceClient, BobClient, _] = [twitter_users:login(Server, User) || User <- Users],
    Ordinary = name(<<"news">>, Alice),
    ok = make(AliceClient, Ordinary),
    ok = set(BobClient, ["<subscribe node='", Ordinary, "' jid='", twitter_users:jid(Bob), "'/>"]),
    [ok = publish(AliceClient, Ordinary, Id) || Id <- [<<"1">>, <<"2">>, <<"3">>]],
    Own = {AliceClient, twitter_users:jid(Alice)},
    [ok = publish(Own, Node, <<"1">>) || Node <- [<<"urn:xmpp:avatar:metadata">>, <<"urn:xmpp:bookmarks:1">>]],
    Tables = twitter_stored:everything(Server),
    Seen = seen(Server, Users, Ordinary),
    ok = twitter_server:restart(Server, ?PLUGIN),
    same(Seen, seen(Server, Users, Ordinary)),
    same(Tables, twitter_stored:everything(Server)),
    %% It is in use meanwhile, and a post is made beside it.
    Again = twitter_users:login(Server, Alice),
    BobAgain = twitter_users:login(Server, Bob),
    ok = publish(Again, Ordinary, <<"4">>),
    #xmlel{} = twitter_client:expect(BobAgain, twitter_events:is_event(Ordinary, <<"4">>)),
    Post = twitter_requests:publish(Again, <<"Hello">>),
    Between = seen(Server, Users, Ordinary),
    ok = twitter_server:restart(Server, ?STOCK),
    same(Between, seen(Server, Users, Ordinary)),
    ok = twitter_ordinary:check(Server),
    ok = twitter_server:restart(Server, ?PLUGIN),
    same(Between, seen(Server, Users, Ordinary)),
    [{_, Post, <<"Hello">>}] =
        twitter_reading:entries(twitter_users:login(Server, Bob), <<"/twitter/FriendsStream">>).

%% Somebody has used the names before: with the plugin they are hidden, not lost.
names_below_twitter_come_back(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, _] = Users = users(Server),
    [AliceClient, BobClient, _] = [twitter_users:login(Server, User) || User <- Users],
    Names = [<<"/twitter">>, <<"/twitter/foo">>, <<"/twitter/MyStream">>, <<"/twitters">>],
    [ok = make(AliceClient, Node) || Node <- Names],
    [ok = publish(AliceClient, Node, <<"1">>) || Node <- Names],
    [ok = set(BobClient, ["<subscribe node='", Node, "' jid='", twitter_users:jid(Bob), "'/>"]) || Node <- Names],
    %% The rows below /twitter are the next case's.
    Before = [seen(Server, Users, Node) || Node <- tl(Names)],
    Tables = twitter_stored:everything(Server),
    ok = twitter_server:restart(Server, ?PLUGIN),
    same(Tables, twitter_stored:everything(Server)),
    [AliceNow, BobNow, CarolNow] = [twitter_users:login(Server, User) || User <- Users],
    Rows = [Node || {Node, _} <- twitter_reading:rows(BobNow, <<>>)],
    %% The root is there once, and it is the microblog's.
    [<<"/twitter">>] = [Node || Node <- Rows, Node =:= <<"/twitter">>],
    [] = [Node || <<"/twitter/", _/binary>> = Node <- Rows],
    true = lists:member(<<"/twitters">>, Rows),
    [<<"/twitter/MyStream">>, <<"/twitter/FriendsStream">>, <<"/twitter/MyFriends">>] =
        [Node || {Node, _} <- twitter_reading:rows(BobNow, <<"/twitter">>)],
    <<"item-not-found">> = twitter_answers:refusal(twitter_requests:items(BobNow, <<"/twitter/foo">>)),
    [true = none =/= twitter_answers:refusal(twitter_requests:pubsub(AliceNow, set, [
        "<publish node='", Node, "'><item id='2'><a xmlns='urn:a'/></item></publish>"
     ]))
     || Node <- [<<"/twitter">>, <<"/twitter/foo">>]],
    [] = twitter_reading:entries(BobNow, <<"/twitter/MyStream">>),
    %% The microblog works for all, also for the owner of the old nodes.
    Id = twitter_requests:publish(AliceNow, <<"Hello">>),
    #xmlel{} = twitter_client:expect(BobNow, twitter_events:is_event(<<"/twitter/FriendsStream">>, Id)),
    [{_, Id, <<"Hello">>}] = twitter_reading:entries(AliceNow, <<"/twitter/MyStream">>),
    [] = twitter_reading:entries(CarolNow, <<"/twitter/FriendsStream">>),
    ok = twitter_server:restart(Server, ?STOCK),
    same(Before, [seen(Server, Users, Node) || Node <- tl(Names)]),
    Later = twitter_users:login(Server, Alice),
    LaterBob = twitter_users:login(Server, Bob),
    ok = publish(Later, <<"/twitter/foo">>, <<"2">>),
    #xmlel{} = twitter_client:expect(LaterBob, twitter_events:is_event(<<"/twitter/foo">>, <<"2">>)),
    [{_, <<"1">>, _}] = twitter_reading:entries(LaterBob, <<"/twitter">>),
    [ok = delete(Later, Node) || Node <- Names].

%% Without the plugin anybody may make a node called /twitter. Who has a microblog is not
%% his business,
stored_posts_are_not_listed(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, _, CarolClient} = carol_takes_the_name(Server),
    [] = [
        Row
     || Parent <- [<<>>, <<"/twitter">>],
        {Node, _} = Row <- twitter_reading:rows(CarolClient, Parent),
        nomatch =/= binary:match(Node, twitter_users:jid(Alice))
    ].

%% and deleting his node must not delete other people's posts.
stored_posts_outlive_a_node_of_that_name(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Id, CarolClient} = carol_takes_the_name(Server),
    ok = delete(CarolClient, <<"/twitter">>),
    ok = twitter_server:restart(Server, ?PLUGIN),
    AliceClient = twitter_users:login(Server, Alice),
    [{_, Id, <<"Hello">>}] = twitter_reading:entries(AliceClient, <<"/twitter/MyStream">>).

carol_takes_the_name(Server) ->
    ok = twitter_server:restart(Server, ?PLUGIN),
    [Alice, _, Carol] = users(Server),
    Id = twitter_requests:publish(twitter_users:login(Server, Alice), <<"Hello">>),
    ok = twitter_server:restart(Server, ?STOCK),
    CarolClient = twitter_users:login(Server, Carol),
    ok = make(CarolClient, <<"/twitter">>),
    {Alice, Id, CarolClient}.

%%% What there is

%% All that these users can see of a node and of PEP.
seen(Server, Users, Node) ->
    [Alice | _] = Users,
    [
        begin
            Client = twitter_users:login(Server, User),
            Pep = {Client, twitter_users:jid(Alice)},
            Seen = [
                children(Answer)
             || Answer <- [
                    twitter_requests:items(Client, Node),
                    twitter_requests:pubsub(Client, get, ["<affiliations node='", Node, "'/>"]),
                    twitter_requests:pubsub(Client, get, ["<subscriptions node='", Node, "'/>"]),
                    twitter_requests:owner(Client, get, ["<configure node='", Node, "'/>"]),
                    twitter_requests:owner(Client, get, ["<subscriptions node='", Node, "'/>"]),
                    twitter_requests:info(Client, Node),
                    twitter_requests:rows(Client, Node),
                    twitter_requests:rows(Pep, <<>>),
                    twitter_requests:items(Pep, <<"urn:xmpp:bookmarks:1">>),
                    twitter_requests:items(Pep, <<"urn:xmpp:avatar:metadata">>)
                ]
            ],
            ok = twitter_client:close(Client),
            Seen
        end
     || User <- Users
    ].

%% Without the sessions that are online: their names are new each time.
children(#xmlel{name = <<"query">>, children = Rows} = Query) ->
    IsSession = fun(Row) -> nomatch =/= binary:match(fxml:get_tag_attr_s(<<"jid">>, Row), <<"/">>) end,
    Query#xmlel{children = [Row || Row <- Rows, not IsSession(Row)]};
children(#xmlel{name = <<"iq">>, children = Children}) ->
    [children(Child) || Child <- Children];
children(Content) ->
    Content.

%% Shows no more than what differs.
same(Expected, Expected) ->
    ok;
same([_ | _] = Expected, [_ | _] = Found) when length(Expected) =:= length(Found) ->
    lists:foreach(fun({One, Other}) -> same(One, Other) end, lists:zip(Expected, Found));
same(Expected, Found) ->
    error({different, Expected, Found}).

%%% Helpers

%% Alice and Bob are friends, Carol knows nobody.
users(Server) ->
    [Alice, Bob, Carol] = [twitter_users:fresh(Server, Name) || Name <- [<<"alice">>, <<"bob">>, <<"carol">>]],
    ok = twitter_users:befriend(Server, Alice, Bob),
    [Alice, Bob, Carol].

name(Prefix, {Name, _}) ->
    <<Prefix/binary, "-of-", Name/binary>>.

make(Client, Node) ->
    set(Client, ["<create node='", Node, "'/>"]).

publish(Place, Node, Id) ->
    set(Place, [
        "<publish node='", Node, "'><item id='", Id, "'><a xmlns='urn:a'>", Id, "</a></item></publish>"
    ]).

delete(Client, Node) ->
    _ = twitter_answers:result(twitter_requests:owner(Client, set, ["<delete node='", Node, "'/>"])),
    ok.

set(Place, Content) ->
    _ = twitter_answers:result(twitter_requests:pubsub(Place, set, Content)),
    ok.
