%%% Who is compared: this plugin; PEP and an ordinary pubsub node of an ejabberd without it; and the
%%% floor, below which nothing can be.
-module(bench_peers).

-export([server_options/2, prepare/4, connected/3]).
-export([create/2, publish/3, read/2, plain_node/1, floor_message/1]).
-export_type([kind/0, peer/0]).

-type kind() :: twitter | pep | plain | floor.
-type peer() :: #{
    kind := kind(),
    %% As tables show it.
    name := string(),
    %% Options of mod_twitter.
    options := #{atom() => twitter_yaml:value()}
}.

-define(PUBSUB, <<"http://jabber.org/protocol/pubsub">>).
-define(MICROBLOG, <<"urn:xmpp:microblog:0">>).
%% A post of usual length.
-define(TEXT,
    <<"The fan-out of a post is the work that a server does between the moment it is published and "
      "the moment the last of the readers has received it.">>
).

%% @doc The options of the peer's private server, over those that all have.
-spec server_options(peer(), Common :: map()) -> twitter_server:options().
server_options(#{kind := twitter, options := Options}, Common) ->
    Common#{twitter => Options};
server_options(#{}, Common) ->
    Common#{plugin => false}.

%% @doc Before anybody logs in: what one author and his followers need.
-spec prepare(kind(), twitter_server:server(), Author :: binary(), Followers :: pos_integer()) -> ok.
prepare(plain, Server, Author, Followers) ->
    Node = plain_node(Author),
    _ = [inside(Server, ask, [Author, Request]) || Request <- create(plain, Author)],
    ok = inside(Server, subscribe, [Node, <<"follower">>, Followers]);
prepare(_, _Server, _Author, _Followers) ->
    ok.

%% @doc When all are logged in.
-spec connected(kind(), twitter_server:server(), Online :: pos_integer()) -> ok.
connected(floor, Server, Online) ->
    twitter_server:call(Server, bench_floor, start, [Online], infinity);
connected(_, _Server, _Online) ->
    ok.

inside(Server, Function, Args) ->
    twitter_server:call(Server, bench_inside, Function, Args, infinity).

%% @doc The requests that make a node that keeps posts: PEP would keep one.
-spec create(kind(), Author :: binary()) -> [binary()].
create(pep, _Author) ->
    [create_iq(<<>>, ?MICROBLOG)];
create(plain, Author) ->
    [create_iq(<<" to='pubsub.localhost'">>, plain_node(Author))];
create(_, _Author) ->
    [].

create_iq(To, Node) ->
    iolist_to_binary([
        <<"<iq type='set' id='create'">>, To, <<"><pubsub xmlns='">>, ?PUBSUB, <<"'><create node='">>,
        Node, <<"'/><configure><x xmlns='jabber:x:data' type='submit'>">>,
        <<"<field var='FORM_TYPE' type='hidden'><value>">>, ?PUBSUB, <<"#node_config</value></field>">>,
        <<"<field var='pubsub#max_items'><value>1000</value></field></x></configure></pubsub></iq>">>
    ]).

%% @doc The request that publishes a post.
-spec publish(kind(), Author :: binary(), Post :: binary()) -> binary().
publish(twitter, _Author, Post) ->
    publish_iq(<<" to='pubsub.localhost'">>, <<"/twitter/MyStream">>, Post);
publish(pep, _Author, Post) ->
    publish_iq(<<>>, ?MICROBLOG, Post);
publish(plain, Author, Post) ->
    publish_iq(<<" to='pubsub.localhost'">>, plain_node(Author), Post);
publish(floor, _Author, Post) ->
    <<"<iq type='set' to='localhost' id='{id}'><floor xmlns='urn:bench:floor' post='", Post/binary,
        "'/></iq>">>.

publish_iq(To, Node, Post) ->
    iolist_to_binary([
        <<"<iq type='set' id='{id}'">>, To, <<"><pubsub xmlns='">>, ?PUBSUB, <<"'><publish node='">>,
        Node, <<"'><item id='">>, Post, <<"'>">>, entry(), <<"</item></publish></pubsub></iq>">>
    ]).

%% An Atom entry, as clients publish it.
entry() ->
    <<"<entry xmlns='http://www.w3.org/2005/Atom'><title>", ?TEXT/binary,
        "</title><published>2008-03-21T12:00:00Z</published></entry>">>.

%% @doc The request that reads the newest 20 posts: of all friends, or for the others of the friend
%% whose name stands for `{value}'.
-spec read(kind(), Value :: binary()) -> binary().
read(twitter, _) ->
    read_iq(<<"pubsub.localhost">>, <<"/twitter/FriendsStream">>);
read(pep, Friend) ->
    read_iq(<<Friend/binary, "@localhost">>, ?MICROBLOG);
read(plain, Friend) ->
    read_iq(<<"pubsub.localhost">>, plain_node(Friend)).

read_iq(To, Node) ->
    <<"<iq type='get' id='{id}' to='", To/binary, "'><pubsub xmlns='", (?PUBSUB)/binary,
        "'><items max_items='20' node='", Node/binary, "'/></pubsub></iq>">>.

-spec plain_node(Author :: binary()) -> binary().
plain_node(Author) -> <<"blogs/", Author/binary>>.

%% @doc What the floor writes: what a follower gets from the plugin.
-spec floor_message(Post :: binary()) -> binary().
floor_message(Post) ->
    iolist_to_binary([
        <<"<message to='follower00000@localhost/bench' from='pubsub.localhost' type='headline'>">>,
        <<"<event xmlns='http://jabber.org/protocol/pubsub#event'>">>,
        <<"<items node='/twitter/FriendsStream'><item id='">>, Post,
        <<"' publisher='author00000@localhost'>">>, entry(), <<"</item></items></event>">>,
        <<"<body>author00000@localhost: ">>, ?TEXT, <<"</body></message>">>
    ]).
