%%% What a client asks of the microblog, and what it reads in the answers: IQs of XEP-0030 and
%%% XEP-0060 over the connection of a twitter_client.
-module(twitter_requests).

-include_lib("fast_xml/include/fxml.hrl").

-export([service/1, el/3, ask/3, pubsub/3, owner/3]).
-export([info/2, rows/2, rows/3, items/2, items/3, publish/2, publish/3, publish_all/2]).
-export([retract/2, friends_page/2, pages/3, pages/4]).
-export([result/1, refusal/1, anonymous/2]).
-export([row_list/1, identities/1, form/1, posts/1, ids/1, published/1, payloads/1, page/1]).
-export([block/2, unblock/2, remove_contact/2]).

-export_type([rsm/0, payload/0, post/0, page/0]).

-type rsm() :: #{
    max => non_neg_integer(),
    before => Cursor :: binary(),
    'after' => Cursor :: binary(),
    index => non_neg_integer()
}.
%% Bare text, or one element.
-type payload() :: binary() | #xmlel{}.

-type post() :: {Publisher :: binary(), Id :: binary()}.
%% Without first, index and last if the page is empty.
-type page() :: #{
    first => Cursor :: binary(),
    index => non_neg_integer(),
    last => Cursor :: binary(),
    count => non_neg_integer()
}.

-define(NS_INFO, <<"http://jabber.org/protocol/disco#info">>).
-define(NS_ITEMS, <<"http://jabber.org/protocol/disco#items">>).
-define(NS_PUBSUB, <<"http://jabber.org/protocol/pubsub">>).
-define(NS_OWNER, <<"http://jabber.org/protocol/pubsub#owner">>).
-define(NS_RSM, <<"http://jabber.org/protocol/rsm">>).

%%% Any request

%% @doc The pubsub service of the client's own server.
-spec service(twitter_client:client()) -> binary().
service(Client) ->
    [_, Server] = binary:split(twitter_client:bare(Client), <<"@">>),
    <<"pubsub.", Server/binary>>.

-spec el(Name :: binary(), [{binary(), binary()}], [#xmlel{} | {xmlcdata, binary()}]) -> #xmlel{}.
el(Name, Attrs, Children) ->
    #xmlel{name = Name, attrs = Attrs, children = Children}.

%% @doc An IQ with this child to the service, and its answer.
-spec ask(twitter_client:client(), get | set, Child :: #xmlel{}) -> #xmlel{}.
ask(Client, Type, Child) ->
    Attrs = [{<<"type">>, atom_to_binary(Type)}, {<<"to">>, service(Client)}],
    twitter_client:request(Client, el(<<"iq">>, Attrs, [Child])).

-spec pubsub(twitter_client:client(), get | set, [#xmlel{}]) -> #xmlel{}.
pubsub(Client, Type, Children) ->
    ask(Client, Type, el(<<"pubsub">>, [{<<"xmlns">>, ?NS_PUBSUB}], Children)).

-spec owner(twitter_client:client(), get | set, [#xmlel{}]) -> #xmlel{}.
owner(Client, Type, Children) ->
    ask(Client, Type, el(<<"pubsub">>, [{<<"xmlns">>, ?NS_OWNER}], Children)).

%%% The usual ones

%% @doc disco#info.
-spec info(twitter_client:client(), Node :: binary()) -> #xmlel{}.
info(Client, Node) ->
    ask(Client, get, el(<<"query">>, [{<<"xmlns">>, ?NS_INFO} | node_attr(Node)], [])).

%% @doc disco#items: the rows that a service browser shows below a node.
-spec rows(twitter_client:client(), Node :: binary()) -> #xmlel{}.
rows(Client, Node) ->
    rows(Client, Node, none).

-spec rows(twitter_client:client(), Node :: binary(), rsm() | none) -> #xmlel{}.
rows(Client, Node, Rsm) ->
    Attrs = [{<<"xmlns">>, ?NS_ITEMS} | node_attr(Node)],
    ask(Client, get, el(<<"query">>, Attrs, set(Rsm))).

%% The service itself is asked without a node.
node_attr(<<>>) -> [];
node_attr(Node) -> [{<<"node">>, Node}].

-spec items(twitter_client:client(), Node :: binary()) -> #xmlel{}.
items(Client, Node) ->
    items(Client, Node, #{}).

-spec items(twitter_client:client(), Node :: binary(), #{
    max_items => integer(), ids => [binary()], rsm => rsm()
}) -> #xmlel{}.
items(Client, Node, Options) ->
    Max = [
        {<<"max_items">>, integer_to_binary(Number)}
     || Number <- maps:values(maps:with([max_items], Options))
    ],
    Wanted = [el(<<"item">>, [{<<"id">>, Id}], []) || Id <- maps:get(ids, Options, [])],
    Items = el(<<"items">>, [{<<"node">>, Node} | Max], Wanted),
    pubsub(Client, get, [Items | set(maps:get(rsm, Options, none))]).

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

%% @doc Publishes to MyStream; returns the id that the service gave.
-spec publish(twitter_client:client(), payload()) -> Id :: binary().
publish(Client, Payload) ->
    publish(Client, <<>>, Payload).

-spec publish(twitter_client:client(), Id :: binary(), payload()) -> Id :: binary().
publish(Client, Id, Payload) ->
    Item = el(<<"item">>, [{<<"id">>, Id} || Id =/= <<>>], [payload(Payload)]),
    Publish = el(<<"publish">>, [{<<"node">>, <<"/twitter/MyStream">>}], [Item]),
    published(pubsub(Client, set, [Publish])).

payload(#xmlel{} = Element) -> Element;
payload(Text) -> {xmlcdata, Text}.

%% @doc Publishes under each of these ids in turn; returns the posts, oldest first.
-spec publish_all(twitter_client:client(), [Id :: binary()]) -> [post()].
publish_all(Client, Ids) ->
    [{twitter_client:bare(Client), publish(Client, Id, <<"Post ", Id/binary>>)} || Id <- Ids].

%% @doc Deletes a post of MyStream.
-spec retract(twitter_client:client(), Id :: binary()) -> ok.
retract(Client, Id) ->
    Item = el(<<"item">>, [{<<"id">>, Id}], []),
    Retract = el(<<"retract">>, [{<<"node">>, <<"/twitter/MyStream">>}], [Item]),
    _ = result(pubsub(Client, set, [Retract])),
    ok.

%%% Pages

%% @doc One page of FriendsStream, and what it says of itself.
-spec friends_page(twitter_client:client(), rsm()) ->
    {[post()], page()}.
friends_page(Client, Rsm) ->
    Answer = items(Client, <<"/twitter/FriendsStream">>, #{rsm => Rsm}),
    {posts(Answer), page(Answer)}.

%% @doc All pages of a stream of at most `Max' posts each, up to the empty one after
%% the last; backward begins with the newest. Each page is oldest first.
-spec pages(
    twitter_client:client(), Node :: binary(), {forward | backward, Max :: pos_integer()}
) -> [Page :: [post()]].
pages(Client, Node, How) ->
    pages(Client, Node, How, fun(_) -> ok end).

%% @doc The same; `Between' is called with the number of each page, from 1, before the next
%% one is asked for.
-spec pages(
    twitter_client:client(),
    Node :: binary(),
    {forward | backward, Max :: pos_integer()},
    Between :: fun((Number :: pos_integer()) -> term())
) -> [Page :: [post()]].
pages(Client, Node, {forward, Max}, Between) ->
    more(Client, Node, #{max => Max}, {'after', last}, Between, 1);
pages(Client, Node, {backward, Max}, Between) ->
    more(Client, Node, #{max => Max, before => <<>>}, {before, first}, Between, 1).

more(Client, Node, #{max := Max} = Rsm, {Side, End} = Step, Between, Number) ->
    Answer = items(Client, Node, #{rsm => Rsm}),
    case posts(Answer) of
        [] ->
            [];
        Page when length(Page) =< Max ->
            _ = Between(Number),
            Next = #{max => Max, Side => maps:get(End, page(Answer))},
            [Page | more(Client, Node, Next, Step, Between, Number + 1)]
    end.

%%% Contacts, as a client changes them

-spec block(twitter_client:client(), Jid :: binary()) -> ok.
block(Client, Jid) -> blocking(Client, <<"block">>, Jid).

-spec unblock(twitter_client:client(), Jid :: binary()) -> ok.
unblock(Client, Jid) -> blocking(Client, <<"unblock">>, Jid).

blocking(Client, Action, Jid) ->
    Item = el(<<"item">>, [{<<"jid">>, Jid}], []),
    to_own_server(Client, el(Action, [{<<"xmlns">>, <<"urn:xmpp:blocking">>}], [Item])).

%% @doc Takes a contact off the roster; that ends the subscriptions of both sides.
-spec remove_contact(twitter_client:client(), Jid :: binary()) -> ok.
remove_contact(Client, Jid) ->
    Item = el(<<"item">>, [{<<"jid">>, Jid}, {<<"subscription">>, <<"remove">>}], []),
    to_own_server(Client, el(<<"query">>, [{<<"xmlns">>, <<"jabber:iq:roster">>}], [Item])).

to_own_server(Client, Child) ->
    _ = result(
        twitter_client:request(Client, el(<<"iq">>, [{<<"type">>, <<"set">>}], [Child]))
    ),
    ok.

%%% Answers

%% @doc The answer, which must be a result.
-spec result(Answer :: #xmlel{}) -> #xmlel{}.
result(Answer) ->
    case fxml:get_tag_attr_s(<<"type">>, Answer) of
        <<"result">> -> Answer;
        _ -> error({refused, fxml:element_to_binary(Answer)})
    end.

%% @doc The condition of an error; `none' if it is a result.
-spec refusal(Answer :: #xmlel{}) -> Condition :: binary() | none.
refusal(Answer) ->
    Conditions = [
        Name
     || #xmlel{children = Children} <- elements(Answer, [<<"error">>]),
        #xmlel{name = Name, attrs = Attrs} <- Children,
        Name =/= <<"text">>,
        fxml:get_attr_s(<<"xmlns">>, Attrs) =:= <<"urn:ietf:params:xml:ns:xmpp-stanzas">>
    ],
    case Conditions of
        [Condition] ->
            Condition;
        [] ->
            _ = result(Answer),
            none
    end.

%% @doc The answer's bytes, without its id and with these words made alike: what an
%% observer can learn from it who knows the words already.
-spec anonymous(Answer :: #xmlel{}, Words :: [binary()]) -> binary().
anonymous(#xmlel{attrs = Attrs} = Answer, Words) ->
    Text = fxml:element_to_binary(Answer#xmlel{attrs = lists:keydelete(<<"id">>, 1, Attrs)}),
    lists:foldl(
        fun(Word, Rest) -> binary:replace(Rest, Word, <<"*">>, [global]) end, Text, Words
    ).

%% @doc The rows of disco#items.
-spec row_list(Answer :: #xmlel{}) -> [{Node :: binary(), Name :: binary()}].
row_list(Answer) ->
    [
        {fxml:get_tag_attr_s(<<"node">>, Row), fxml:get_tag_attr_s(<<"name">>, Row)}
     || Row <- elements(result(Answer), [<<"query">>, <<"item">>])
    ].

%% @doc Category, type and name of each identity in disco#info.
-spec identities(Answer :: #xmlel{}) -> [{binary(), binary(), {value, binary()} | false}].
identities(Answer) ->
    [
        {
            fxml:get_tag_attr_s(<<"category">>, Identity),
            fxml:get_tag_attr_s(<<"type">>, Identity),
            fxml:get_tag_attr(<<"name">>, Identity)
        }
     || Identity <- elements(result(Answer), [<<"query">>, <<"identity">>])
    ].

%% @doc The form of disco#info: the values of each field.
-spec form(Answer :: #xmlel{}) -> #{Field :: binary() => [binary()]}.
form(Answer) ->
    maps:from_list([
        {fxml:get_tag_attr_s(<<"var">>, Field), [
            fxml:get_tag_cdata(Value)
         || Value <- elements(Field, [<<"value">>])
        ]}
     || Field <- elements(result(Answer), [<<"query">>, <<"x">>, <<"field">>])
    ]).

%% @doc Publisher and id of each item, in their order.
-spec posts(Answer :: #xmlel{}) -> [post()].
posts(Answer) ->
    [
        {fxml:get_tag_attr_s(<<"publisher">>, Item), fxml:get_tag_attr_s(<<"id">>, Item)}
     || Item <- item_list(Answer)
    ].

-spec ids(Answer :: #xmlel{}) -> [binary()].
ids(Answer) ->
    [Id || {_, Id} <- posts(Answer)].

%% @doc The id that the service gave to a published item.
-spec published(Answer :: #xmlel{}) -> Id :: binary().
published(Answer) ->
    [Item] = elements(result(Answer), [<<"pubsub">>, <<"publish">>, <<"item">>]),
    fxml:get_tag_attr_s(<<"id">>, Item).

%% @doc What each item holds, as the client's parser gives it.
-spec payloads(Answer :: #xmlel{}) -> [[#xmlel{} | {xmlcdata, binary()}]].
payloads(Answer) ->
    [Children || #xmlel{children = Children} <- item_list(Answer)].

item_list(Answer) ->
    elements(result(Answer), [<<"pubsub">>, <<"items">>, <<"item">>]).

%% @doc What the answer says of its page (XEP-0059); empty without a result set.
-spec page(Answer :: #xmlel{}) ->
    #{
        first => binary(), index => integer(), last => binary(), count => integer()
    }.
page(Answer) ->
    #xmlel{children = [#xmlel{name = Name}]} = result(Answer),
    Ends = [
        {binary_to_atom(End), fxml:get_tag_cdata(Element)}
     || End <- [<<"first">>, <<"last">>], Element <- elements(Answer, [Name, <<"set">>, End])
    ],
    Count = [
        {count, binary_to_integer(fxml:get_tag_cdata(Element))}
     || Element <- elements(Answer, [Name, <<"set">>, <<"count">>])
    ],
    Index = [
        {index, binary_to_integer(Text)}
     || Element <- elements(Answer, [Name, <<"set">>, <<"first">>]),
        {value, Text} <- [fxml:get_tag_attr(<<"index">>, Element)]
    ],
    maps:from_list(Ends ++ Count ++ Index).

%% All elements at the end of a path of names.
elements(Element, []) ->
    [Element];
elements(#xmlel{children = Children}, [Name | Path]) ->
    [
        Found
     || #xmlel{name = Called} = Child <- Children, Called =:= Name, Found <- elements(Child, Path)
    ].
