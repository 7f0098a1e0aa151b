%%% What prepares a server from inside: accounts, rosters, nodes, posts. Loaded into its node.
-module(bench_inside).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/mod_roster.hrl").

-export([password/0, name/2, load/1]).
-export([accounts/2, friends/2, session/1, reset/2]).
-export([subscribe/3, publish_all/3, ask/2, ask_all/2]).

-define(HOST, <<"localhost">>).
-define(TIMEOUT, 30_000).

-spec password() -> binary().
password() -> <<"secret">>.

%% @doc The name of a user, as the load client makes it.
-spec name(Prefix :: binary(), Number :: non_neg_integer()) -> binary().
name(Prefix, Number) ->
    iolist_to_binary(io_lib:format("~ts~5..0b", [Prefix, Number])).

%% @doc Loads this module and others into a server.
-spec load(twitter_server:server()) -> ok.
load(Server) ->
    lists:foreach(
        fun(Module) ->
            {Module, Binary, File} = code:get_object_code(Module),
            {module, Module} = twitter_server:call(Server, code, load_binary, [Module, File, Binary])
        end,
        [?MODULE, bench_floor, bench_peers]
    ).

%%% In the server

%% @doc Registers users.
-spec accounts(Prefix :: binary(), Count :: non_neg_integer()) -> ok.
accounts(Prefix, Count) ->
    lists:foreach(
        fun(Number) ->
            ok = ejabberd_auth:try_register(name(Prefix, Number), ?HOST, password())
        end,
        lists:seq(0, Count - 1)
    ).

%% @doc Makes somebody and each of the others friends: both see each other's presence.
-spec friends(One :: binary(), Others :: [binary()]) -> ok.
friends(One, Others) ->
    lists:foreach(
        fun(Other) ->
            contact(One, Other),
            contact(Other, One)
        end,
        Others
    ).

contact(User, Contact) ->
    Jid = {Contact, ?HOST, <<>>},
    ok = mnesia:dirty_write(#roster{
        usj = {User, ?HOST, Jid}, us = {User, ?HOST}, jid = Jid, subscription = both
    }).

%% @doc The process of a follower's connection.
-spec session(Number :: non_neg_integer()) -> pid().
session(Number) ->
    Pid = ejabberd_sm:get_session_pid(name(<<"follower">>, Number), ?HOST, <<"bench">>),
    true = is_pid(Pid),
    Pid.

%% @doc Deletes the posts of earlier series, and tells nobody: what a post costs depends on how many
%% there are.
-spec reset(bench_peers:kind(), Author :: binary()) -> ok.
reset(twitter, Author) ->
    Jid = jid:make(Author, ?HOST),
    ok = twitter_store:purge(<<"pubsub.localhost">>, Jid),
    ok = twitter_index:forget(<<"pubsub.localhost">>, jid:encode(Jid));
reset(plain, Author) ->
    Host = <<"pubsub.localhost">>,
    Node = mod_pubsub:tree_action(Host, get_node, [Host, bench_peers:plain_node(Author)]),
    Purge = fun() -> node_flat:purge_node(element(3, Node), jid:make(Author, ?HOST)) end,
    {atomic, {result, _}} = mnesia:transaction(Purge),
    ok;
reset(_, _Author) ->
    ok.

%% @doc Subscribes users to an ordinary node.
-spec subscribe(Node :: binary(), Prefix :: binary(), Count :: non_neg_integer()) -> ok.
subscribe(Node, Prefix, Count) ->
    lists:foreach(
        fun(Number) ->
            Jid = jid:make(name(Prefix, Number), ?HOST),
            {result, _} = mod_pubsub:subscribe_node(<<"pubsub.localhost">>, Node, Jid, Jid, [])
        end,
        lists:seq(0, Count - 1)
    ).

%% @doc Has each of these authors publish posts, by requests as they would come from him.
-spec publish_all(bench_peers:kind(), Authors :: [binary()], Posts :: pos_integer()) -> ok.
publish_all(Kind, Authors, Posts) ->
    %% Not by several at the same time: ejabberd's own nodes do not stand that.
    lists:foreach(
        fun(Author) -> ask_each(Author, bench_peers:create(Kind, Author)) end, Authors
    ),
    Workers = [
        spawn_monitor(fun() -> lists:foreach(fun(Author) -> publish(Kind, Author, Posts) end, Share) end)
     || Share <- shares(Authors)
    ],
    lists:foreach(
        fun({_, Monitor}) ->
            receive
                {'DOWN', Monitor, process, _, Reason} -> normal = Reason
            end
        end,
        Workers
    ).

%% A few authors publish at the same time.
shares(Authors) ->
    Numbered = lists:enumerate(Authors),
    [[Author || {Number, Author} <- Numbered, Number rem 8 =:= Share] || Share <- lists:seq(0, 7)].

publish(Kind, Author, Posts) ->
    ask_each(Author, [
        bench_peers:publish(Kind, Author, name(<<Author/binary, "-">>, Post))
     || Post <- lists:seq(1, Posts)
    ]).

ask_each(User, Texts) ->
    lists:foreach(fun(Text) -> #iq{type = result} = ask(User, Text) end, Texts).

%% @doc Asks something in a user's name, inside the server, and returns the answer.
-spec ask(User :: binary(), Text :: binary()) -> iq() | timeout.
ask(User, Text) ->
    From = jid:make(User, ?HOST, <<"inside">>),
    #iq{to = To} = Iq = xmpp:decode(fxml_stream:parse_element(Text), ?NS_CLIENT, []),
    Target =
        case To of
            undefined -> jid:remove_resource(From);
            _ -> To
        end,
    ok = ejabberd_router:route_iq(Iq#iq{from = From, to = Target}, none, self(), ?TIMEOUT),
    receive
        {iq_reply, Answer, none} -> Answer
    end.

%% @doc How long it takes to ask all this, one after the other, in microseconds.
-spec ask_all(User :: binary(), [Text :: binary()]) -> non_neg_integer().
ask_all(User, Texts) ->
    {Us, ok} = timer:tc(fun() -> ask_each(User, Texts) end),
    Us.
