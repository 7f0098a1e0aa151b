%%% What users do with their microblogs and what they read there, one line each.
%%%
%%% A place is a client, which stands for the pubsub service of its own host, or a client
%%% with the name of another service.
-module(twitter_posts).

-include_lib("fast_xml/include/fxml.hrl").

-export([publish/2, publish/3, retract/2, purge/1]).
-export([read/2, page/3, stream/2, stream/3, rows/2]).
-export([request/3, pubsub/3, condition/1, is_event/2, is_retraction/1, text/1]).

-export_type([place/0, entry/0, rsm/0]).

-type place() :: twitter_client:client() | {twitter_client:client(), Service :: binary()}.
%% A post as a reader gets it; the payload is XML as text.
-type entry() :: {Publisher :: binary(), Id :: binary(), Payload :: binary()}.
%% A result set by the names of XEP-0059.
-type rsm() :: #{atom() => binary()}.

%%% Writing

%% @doc Publishes a bare text, and returns the id that the service gave it.
-spec publish(place(), Text :: binary()) -> Id :: binary().
publish(Place, Text) ->
    publish(Place, <<>>, text(Text)).

%% @doc Publishes a payload under an id; an empty one lets the service choose.
-spec publish(place(), Id :: binary(), Payload :: iodata()) -> Id :: binary().
publish(Place, Id, Payload) ->
    Attribute = [[<<" id='">>, text(Id), $'] || Id =/= <<>>],
    Publish = [
        <<"<publish node='/twitter/MyStream'><item">>, Attribute, $>, Payload,
        <<"</item></publish>">>
    ],
    Path = [{elem, <<"pubsub">>}, {elem, <<"publish">>}, {elem, <<"item">>}, {attr, <<"id">>}],
    fxml:get_path_s(succeed(pubsub(Place, <<"set">>, Publish)), Path).

-spec retract(place(), Id :: binary()) -> ok.
retract(Place, Id) ->
    Retract = [
        <<"<retract node='/twitter/MyStream'><item id='">>, text(Id), <<"'/></retract>">>
    ],
    #xmlel{} = succeed(pubsub(Place, <<"set">>, Retract)),
    ok.

-spec purge(place()) -> ok.
purge(Place) ->
    Purge = [
        <<"<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>">>,
        <<"<purge node='/twitter/MyStream'/></pubsub>">>
    ],
    #xmlel{} = succeed(request(Place, <<"set">>, Purge)),
    ok.

%%% Reading

%% @doc What a request without further wishes gives: at most the newest 50 posts.
-spec read(place(), Node :: binary()) -> [entry()].
read(Place, Node) ->
    entries(succeed(pubsub(Place, <<"get">>, [<<"<items node='">>, text(Node), <<"'/>">>]))).

%% @doc One page, and what it says of itself.
-spec page(place(), Node :: binary(), rsm()) -> {[entry()], rsm()}.
page(Place, Node, Rsm) ->
    Wish = [
        [$<, atom_to_binary(Key), $>, text(Value), "</", atom_to_binary(Key), $>]
     || {Key, Value} <- maps:to_list(Rsm)
    ],
    Answer = succeed(pubsub(Place, <<"get">>, [
        <<"<items node='">>, text(Node), <<"'/><set xmlns='http://jabber.org/protocol/rsm'>">>,
        Wish, <<"</set>">>
    ])),
    #xmlel{children = Told} = fxml:get_path_s(Answer, [{elem, <<"pubsub">>}, {elem, <<"set">>}]),
    {entries(Answer), maps:from_list([
        {binary_to_atom(Name), fxml:get_tag_cdata(El)}
     || #xmlel{name = Name} = El <- Told
    ])}.

%% @doc The whole stream: the union of its pages, from the oldest on.
-spec stream(place(), Node :: binary()) -> [entry()].
stream(Place, Node) ->
    stream(Place, Node, 100).

-spec stream(place(), Node :: binary(), PageSize :: pos_integer()) -> [entry()].
stream(Place, Node, PageSize) ->
    follow(Place, Node, #{max => integer_to_binary(PageSize)}).

follow(Place, Node, Rsm) ->
    case page(Place, Node, Rsm) of
        {[], _} -> [];
        {Entries, #{last := Last}} -> Entries ++ follow(Place, Node, Rsm#{'after' => Last})
    end.

entries(Answer) ->
    #xmlel{children = Items} =
        fxml:get_path_s(Answer, [{elem, <<"pubsub">>}, {elem, <<"items">>}]),
    [
        {
            fxml:get_tag_attr_s(<<"publisher">>, Item),
            fxml:get_tag_attr_s(<<"id">>, Item),
            iolist_to_binary([fxml:element_to_binary(El) || El <- Item#xmlel.children])
        }
     || #xmlel{} = Item <- Items
    ].

%% @doc The rows that a service browser shows below a node; below the root of the service
%% for an empty one.
-spec rows(place(), Node :: binary()) -> [{Node :: binary(), Name :: binary()}].
rows(Place, Node) ->
    Attribute = [[<<" node='">>, text(Node), $'] || Node =/= <<>>],
    Answer = succeed(request(Place, <<"get">>, [
        <<"<query xmlns='http://jabber.org/protocol/disco#items'">>, Attribute, <<"/>">>
    ])),
    #xmlel{children = Rows} = fxml:get_subtag(Answer, <<"query">>),
    [
        {fxml:get_tag_attr_s(<<"node">>, Row), fxml:get_tag_attr_s(<<"name">>, Row)}
     || #xmlel{name = <<"item">>} = Row <- Rows
    ].

%%% Requests and answers

%% @doc An IQ to the service.
-spec request(place(), Type :: binary(), Content :: iodata()) -> #xmlel{}.
request({Client, Service}, Type, Content) ->
    twitter_client:request(Client, [
        <<"<iq type='">>, Type, <<"' to='">>, Service, <<"'>">>, Content, <<"</iq>">>
    ]);
request(Client, Type, Content) ->
    [_, Host] = binary:split(twitter_client:bare(Client), <<"@">>),
    request({Client, <<"pubsub.", Host/binary>>}, Type, Content).

-spec pubsub(place(), Type :: binary(), Content :: iodata()) -> #xmlel{}.
pubsub(Place, Type, Content) ->
    request(Place, Type, [
        <<"<pubsub xmlns='http://jabber.org/protocol/pubsub'>">>, Content, <<"</pubsub>">>
    ]).

succeed(Answer) ->
    case condition(Answer) of
        none -> Answer;
        Condition -> error({refused, Condition, Answer})
    end.

%% @doc The condition of an error answer; `none' for a result.
-spec condition(Answer :: #xmlel{}) -> binary() | none.
condition(Answer) ->
    case fxml:get_subtag(Answer, <<"error">>) of
        false ->
            none;
        #xmlel{children = Children} ->
            [Condition] = [
                Name
             || #xmlel{name = Name} = El <- Children,
                Name =/= <<"text">>,
                fxml:get_tag_attr_s(<<"xmlns">>, El) =:= <<"urn:ietf:params:xml:ns:xmpp-stanzas">>
            ],
            Condition
    end.

%% @doc Matches the event that brings a post to a node.
-spec is_event(Node :: binary(), Id :: binary()) -> twitter_client:match().
is_event(Node, Id) ->
    fun(Stanza) ->
        Items = fxml:get_path_s(Stanza, [{elem, <<"event">>}, {elem, <<"items">>}]),
        is_record(Items, xmlel) andalso
            fxml:get_tag_attr_s(<<"node">>, Items) =:= Node andalso
            fxml:get_path_s(Items, [{elem, <<"item">>}, {attr, <<"id">>}]) =:= Id
    end.

%% @doc Matches the event that takes a post away.
-spec is_retraction(Id :: binary()) -> twitter_client:match().
is_retraction(Id) ->
    Path = [{elem, <<"event">>}, {elem, <<"items">>}, {elem, <<"retract">>}, {attr, <<"id">>}],
    fun(Stanza) -> fxml:get_path_s(Stanza, Path) =:= Id end.

%% @doc Characters as XML.
-spec text(binary()) -> binary().
text(Characters) ->
    fxml:crypt(Characters).
