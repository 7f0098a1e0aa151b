%%% The messages that bring posts, as a client receives them.
-module(twitter_events).

-include_lib("fast_xml/include/fxml.hrl").

-export([received/2, posts/2, entries/1, node/1, body/1]).
-export([is_event/0, is_event/2]).
-export_type([entry/0]).

%% {item, Publisher, Id, Children} or {retract, Publisher, Id}
-type entry() ::
    {item, binary(), binary(), [#xmlel{} | {xmlcdata, binary()}]} | {retract, binary(), binary()}.

-define(NS_EVENT, <<"http://jabber.org/protocol/pubsub#event">>).

%% @doc All events that this session has been sent, in their order, when the fan-out has nothing
%% left to do. Takes everything received.
-spec received(twitter_server:server(), twitter_client:client()) -> [#xmlel{}].
received(Server, Client) ->
    lists:foreach(
        fun(Host) -> ok = twitter_server:settle(Server, <<"pubsub.", Host/binary>>) end,
        twitter_server:hosts(Server)
    ),
    lists:filter(is_event(), twitter_client:sync(Client)).

%% @doc The same, as what the events hold.
-spec posts(twitter_server:server(), twitter_client:client()) -> [entry()].
posts(Server, Client) ->
    lists:flatmap(fun entries/1, received(Server, Client)).

%% @doc Matches any event.
-spec is_event() -> twitter_client:match().
is_event() ->
    fun(Stanza) -> fxml:get_subtag_with_xmlns(Stanza, <<"event">>, ?NS_EVENT) =/= false end.

%% @doc Matches the event that brings an item of a node.
-spec is_event(Node :: binary(), Id :: binary()) -> twitter_client:match().
is_event(Node, Id) ->
    fun(Stanza) ->
        Items = items(Stanza),
        is_record(Items, xmlel) andalso attr(<<"node">>, Items) =:= Node andalso
            fxml:get_path_s(Items, [{elem, <<"item">>}, {attr, <<"id">>}]) =:= Id
    end.

-spec entries(#xmlel{}) -> [entry()].
entries(Message) ->
    #xmlel{children = Children} = items(Message),
    [entry(Child) || #xmlel{} = Child <- Children].

entry(#xmlel{name = <<"item">>, children = Children} = Item) ->
    {item, attr(<<"publisher">>, Item), attr(<<"id">>, Item), Children};
entry(#xmlel{name = <<"retract">>} = Retract) ->
    {retract, attr(<<"publisher">>, Retract), attr(<<"id">>, Retract)}.

%% @doc The node that an event comes from.
-spec node(#xmlel{}) -> binary().
node(Message) ->
    attr(<<"node">>, items(Message)).

%% @doc The plain text of a message, if it has one.
-spec body(#xmlel{}) -> binary() | none.
body(Message) ->
    case fxml:get_subtag(Message, <<"body">>) of
        false -> none;
        Body -> fxml:get_tag_cdata(Body)
    end.

items(Message) ->
    fxml:get_path_s(Message, [{elem, <<"event">>}, {elem, <<"items">>}]).

attr(Name, Element) ->
    fxml:get_tag_attr_s(Name, Element).
