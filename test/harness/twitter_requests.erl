%%% What a client asks of a microblog: IQs of XEP-0030 and XEP-0060. twitter_answers reads what
%%% comes back, twitter_reading asks and reads.
%%%
%%% A place is a client, which stands for the pubsub service of its own host, or a client with
%%% the name of another service.
-module(twitter_requests).

-include_lib("fast_xml/include/fxml.hrl").

-export([ask/3, pubsub/3, owner/3, el/3]).
-export([info/2, rows/2, rows/3, items/2, items/3]).
-export([publish/2, publish/3, publish_all/2, retract/2, purge/1]).

-export_type([place/0, content/0, rsm/0, options/0, payload/0]).

-type place() :: twitter_client:client() | {twitter_client:client(), Service :: binary()}.
%% XML as text, as elements, or as a list of both.
-type content() :: binary() | byte() | #xmlel{} | {xmlcdata, binary()} | [content()].
-type rsm() :: #{
    max => non_neg_integer(),
    before => Cursor :: binary(),
    'after' => Cursor :: binary(),
    index => non_neg_integer()
}.
-type options() :: #{max_items => integer(), ids => [binary()], rsm => rsm()}.
%% Bare text, or one element.
-type payload() :: binary() | #xmlel{}.

-define(NS_INFO, <<"http://jabber.org/protocol/disco#info">>).
-define(NS_ITEMS, <<"http://jabber.org/protocol/disco#items">>).
-define(NS_PUBSUB, <<"http://jabber.org/protocol/pubsub">>).
-define(NS_OWNER, <<"http://jabber.org/protocol/pubsub#owner">>).
-define(NS_RSM, <<"http://jabber.org/protocol/rsm">>).

%%% Any request

%% @doc An IQ with this content to the service, and its answer.
-spec ask(place(), get | set, content()) -> Answer :: #xmlel{}.
ask({Client, Service}, Type, Content) ->
    twitter_client:request(Client, [
        <<"<iq type='">>, atom_to_binary(Type), <<"' to='">>, fxml:crypt(Service), <<"'>">>,
        xml(Content), <<"</iq>">>
    ]);
ask(Client, Type, Content) ->
    [_, Host] = binary:split(twitter_client:bare(Client), <<"@">>),
    ask({Client, <<"pubsub.", Host/binary>>}, Type, Content).

xml(#xmlel{} = Element) -> fxml:element_to_binary(Element);
xml({xmlcdata, Text}) -> fxml:crypt(Text);
xml(List) when is_list(List) -> [xml(Part) || Part <- List];
xml(Text) -> Text.

-spec pubsub(place(), get | set, content()) -> Answer :: #xmlel{}.
pubsub(Place, Type, Content) ->
    ask(Place, Type, [<<"<pubsub xmlns='">>, ?NS_PUBSUB, <<"'>">>, Content, <<"</pubsub>">>]).

-spec owner(place(), get | set, content()) -> Answer :: #xmlel{}.
owner(Place, Type, Content) ->
    ask(Place, Type, [<<"<pubsub xmlns='">>, ?NS_OWNER, <<"'>">>, Content, <<"</pubsub>">>]).

-spec el(Name :: binary(), [{binary(), binary()}], [#xmlel{} | {xmlcdata, binary()}]) -> #xmlel{}.
el(Name, Attrs, Children) ->
    #xmlel{name = Name, attrs = Attrs, children = Children}.

%%% Questions

%% @doc disco#info.
-spec info(place(), Node :: binary()) -> Answer :: #xmlel{}.
info(Place, Node) ->
    ask(Place, get, el(<<"query">>, [{<<"xmlns">>, ?NS_INFO} | node_attr(Node)], [])).

%% @doc disco#items: the rows that a service browser shows below a node.
-spec rows(place(), Node :: binary()) -> Answer :: #xmlel{}.
rows(Place, Node) ->
    rows(Place, Node, none).

-spec rows(place(), Node :: binary(), rsm() | none) -> Answer :: #xmlel{}.
rows(Place, Node, Rsm) ->
    Attrs = [{<<"xmlns">>, ?NS_ITEMS} | node_attr(Node)],
    ask(Place, get, el(<<"query">>, Attrs, set(Rsm))).

%% The service itself is asked without a node.
node_attr(<<>>) -> [];
node_attr(Node) -> [{<<"node">>, Node}].

-spec items(place(), Node :: binary()) -> Answer :: #xmlel{}.
items(Place, Node) ->
    items(Place, Node, #{}).

-spec items(place(), Node :: binary(), options()) -> Answer :: #xmlel{}.
items(Place, Node, Options) ->
    Max = [
        {<<"max_items">>, integer_to_binary(Number)}
     || Number <- maps:values(maps:with([max_items], Options))
    ],
    Wanted = [el(<<"item">>, [{<<"id">>, Id}], []) || Id <- maps:get(ids, Options, [])],
    Items = el(<<"items">>, [{<<"node">>, Node} | Max], Wanted),
    pubsub(Place, get, [Items | set(maps:get(rsm, Options, none))]).

set(none) ->
    [];
set(Rsm) ->
    [
        el(<<"set">>, [{<<"xmlns">>, ?NS_RSM}], [
            el(atom_to_binary(Name), [], [{xmlcdata, text(Value)}])
         || {Name, Value} <- maps:to_list(Rsm)
        ])
    ].

text(Number) when is_integer(Number) -> integer_to_binary(Number);
text(Text) -> Text.

%%% Writing

%% @doc Publishes to MyStream; returns the id that the service gave.
-spec publish(place(), payload()) -> Id :: binary().
publish(Place, Payload) ->
    publish(Place, <<>>, Payload).

%% @doc Publishes under an id; an empty one lets the service choose.
-spec publish(place(), Id :: binary(), payload()) -> Id :: binary().
publish(Place, Id, Payload) ->
    Item = el(<<"item">>, [{<<"id">>, Id} || Id =/= <<>>], [content(Payload)]),
    twitter_answers:published(pubsub(Place, set, to_stream(<<"publish">>, [Item]))).

content(#xmlel{} = Element) -> Element;
content(Text) -> {xmlcdata, Text}.

to_stream(Action, Children) ->
    el(Action, [{<<"node">>, <<"/twitter/MyStream">>}], Children).

%% @doc Publishes under each of these ids in turn; returns the posts, oldest first.
-spec publish_all(twitter_client:client(), [Id :: binary()]) -> [twitter_answers:post()].
publish_all(Client, Ids) ->
    [{twitter_client:bare(Client), publish(Client, Id, <<"Post ", Id/binary>>)} || Id <- Ids].

%% @doc Deletes a post of MyStream.
-spec retract(place(), Id :: binary()) -> ok.
retract(Place, Id) ->
    Item = el(<<"item">>, [{<<"id">>, Id}], []),
    _ = twitter_answers:result(pubsub(Place, set, to_stream(<<"retract">>, [Item]))),
    ok.

%% @doc Deletes all posts of MyStream.
-spec purge(place()) -> ok.
purge(Place) ->
    _ = twitter_answers:result(owner(Place, set, to_stream(<<"purge">>, []))),
    ok.
