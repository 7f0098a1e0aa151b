%%% What a client reads in the answers to twitter_requests.
-module(twitter_answers).

-include_lib("fast_xml/include/fxml.hrl").

-export([result/1, refusal/1, detail/1, error_text/1, anonymous/2]).
-export([rows/1, identities/1, form/1]).
-export([posts/1, ids/1, payloads/1, entries/1, published/1, page/1]).

-export_type([post/0, entry/0, page/0]).

-type post() :: {Publisher :: binary(), Id :: binary()}.
-type entry() :: {Publisher :: binary(), Id :: binary(), twitter_requests:payload()}.
%% Without first, index and last if the page is empty.
-type page() :: #{
    first => Cursor :: binary(),
    index => non_neg_integer(),
    last => Cursor :: binary(),
    count => non_neg_integer()
}.

%%% Results and refusals

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
    case conditions(Answer, <<"urn:ietf:params:xml:ns:xmpp-stanzas">>) of
        [Condition] ->
            Condition;
        [] ->
            _ = result(Answer),
            none
    end.

%% @doc The condition of XEP-0060 beside it; `none' if there is none.
-spec detail(Answer :: #xmlel{}) -> Condition :: binary() | none.
detail(Answer) ->
    case conditions(Answer, <<"http://jabber.org/protocol/pubsub#errors">>) of
        [Condition] -> Condition;
        [] -> none
    end.

%% The elements of one namespace in an error.
conditions(Answer, Namespace) ->
    [
        Name
     || #xmlel{children = Children} <- elements(Answer, [<<"error">>]),
        #xmlel{name = Name, attrs = Attrs} <- Children,
        Name =/= <<"text">>,
        fxml:get_attr_s(<<"xmlns">>, Attrs) =:= Namespace
    ].

%% @doc What an error says to a person.
-spec error_text(Answer :: #xmlel{}) -> binary().
error_text(Answer) ->
    fxml:get_path_s(Answer, [{elem, <<"error">>}, {elem, <<"text">>}, cdata]).

%% @doc The answer's bytes, without its id and with these words made alike: what an
%% observer can learn from it who knows the words already. A word may begin like another one.
-spec anonymous(Answer :: #xmlel{}, Words :: [binary()]) -> binary().
anonymous(#xmlel{attrs = Attrs} = Answer, Words) ->
    Text = fxml:element_to_binary(Answer#xmlel{attrs = lists:keydelete(<<"id">>, 1, Attrs)}),
    Longest = lists:sort(fun(One, Other) -> byte_size(One) >= byte_size(Other) end, Words),
    lists:foldl(
        fun(Word, Rest) -> binary:replace(Rest, Word, <<"*">>, [global]) end, Text, Longest
    ).

%%% Nodes

%% @doc The rows of disco#items.
-spec rows(Answer :: #xmlel{}) -> [{Node :: binary(), Name :: binary()}].
rows(Answer) ->
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

%%% Items

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

%% @doc Publisher, id and payload of each item, in their order.
-spec entries(Answer :: #xmlel{}) -> [entry()].
entries(Answer) ->
    [
        {Publisher, Id, payload(Payload)}
     || {{Publisher, Id}, Payload} <- lists:zip(posts(Answer), payloads(Answer))
    ].

payload([{xmlcdata, Text}]) -> Text;
payload([#xmlel{} = Element]) -> Element.

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
-spec page(Answer :: #xmlel{}) -> page().
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
