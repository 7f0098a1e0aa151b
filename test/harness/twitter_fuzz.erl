%%% Requests to the microblogs of a server that are well-formed XML and wrong in some way: valid ones, of
%%% which something was changed. Random numbers are those of the calling process.
-module(twitter_fuzz).

-include_lib("fast_xml/include/fxml.hrl").

-export([valid/1, wrong/1, wild/1, bystander/2, element/1]).
-export_type([people/0, request/0]).

%% Who asks, a friend of his, and the id of a post of that friend.
-type people() :: #{self := binary(), friend := binary(), post := binary()}.
%% What the answer must be, and from what the request was made: for whoever reads of a failure.
-type request() :: {result | error | either, [term()], get | set, #xmlel{}}.

-define(NS_INFO, <<"http://jabber.org/protocol/disco#info">>).
-define(NS_ITEMS, <<"http://jabber.org/protocol/disco#items">>).
-define(NS_PUBSUB, <<"http://jabber.org/protocol/pubsub">>).
-define(NS_OWNER, <<"http://jabber.org/protocol/pubsub#owner">>).
-define(NS_COMMANDS, <<"http://jabber.org/protocol/commands">>).
-define(MINE, <<"/twitter/MyStream">>).

%%% Three kinds

%% @doc A request with nothing wrong.
-spec valid(people()) -> request().
valid(People) ->
    {Expected, Name, Type, Element} = one_of(valid_requests(People)),
    {Expected, [Name], Type, Element}.

%% @doc A request with one thing wrong that must be answered with an error.
-spec wrong(people()) -> request().
wrong(People) ->
    {_, [Name], Type, Element} = valid(People),
    case one_of(mistakes(Name, Type, Element, People)) of
        {Mistake, {NewType, NewElement}} -> {error, [Mistake, Name], NewType, NewElement};
        {Mistake, NewElement} -> {error, [Mistake, Name], Type, NewElement}
    end.

%% @doc A request with anything wrong, in several places: it may even be valid.
-spec wild(people()) -> request().
wild(People) ->
    {_, [Name], Type, Element} = valid(People),
    Times = rand:uniform(4),
    Wild = lists:foldl(fun(_, El) -> changed(El) end, Element, lists:seq(1, Times)),
    {either, [wild, Name], one_of([Type, Type, Type, get, set]), Wild}.

%% @doc A message or a presence to the service, which needs no answer. mod_pubsub takes them, and does not
%% expect forms with several types.
-spec bystander(people(), Service :: binary()) -> #xmlel{}.
bystander(#{self := Self, friend := Friend}, Service) ->
    Node = one_of([node_attr(ordinary_node(Friend)), node_attr(odd_node())]),
    Authorization = form(<<"subscribe_authorization">>, [
        {<<"pubsub#node">>, element(2, Node)}, {<<"pubsub#subscriber_jid">>, one_of([Self, Friend, odd_text()])},
        {<<"pubsub#allow">>, one_of([<<"1">>, <<"true">>, <<"maybe">>])}, {<<"pubsub#subid">>, odd_text()}
    ]),
    {_, _, _, Request} = valid(#{self => Self, friend => Friend, post => <<"1">>}),
    Children = [one_of([Authorization, Request, el(<<"body">>, [], [{xmlcdata, odd_text()}]), changed(Request)])
                || _ <- lists:seq(1, rand:uniform(3))],
    To = {<<"to">>, one_of([Service, <<"odd@", Service/binary>>, <<Service/binary, "/odd">>])},
    case rand:uniform(2) of
        1 -> el(<<"message">>, [To | type([<<"normal">>, <<"chat">>, <<"headline">>, <<"groupchat">>, <<"error">>])], Children);
        2 -> el(<<"presence">>, [To | type([<<"subscribe">>, <<"unsubscribe">>, <<"subscribed">>, <<"unsubscribed">>, <<"probe">>,
                                           <<"unavailable">>, <<"error">>])], Children)
    end.

type(Types) ->
    case rand:uniform(3) of
        1 -> [];
        _ -> [{<<"type">>, one_of(Types)}]
    end.

%%% Valid requests

valid_requests(#{self := Self, friend := Friend, post := Post}) ->
    Stream = one_of([?MINE, <<"/twitter/FriendsStream">>, <<"/twitter/MyFriends/", Friend/binary>>]),
    Node = one_of([<<"/twitter">>, <<"/twitter/MyFriends">>, <<"/twitter/MyFriends/", Friend/binary, "/", Post/binary>>, Stream]),
    Rsm = el(<<"set">>, [{<<"xmlns">>, <<"http://jabber.org/protocol/rsm">>}], [
        el(<<"max">>, [], [{xmlcdata, integer_to_binary(rand:uniform(60))}])
        | one_of([[], [el(<<"before">>, [], [])], [el(<<"index">>, [], [{xmlcdata, <<"1">>}])]])
    ]),
    Id = {<<"id">>, <<"id-", (integer_to_binary(rand:uniform(40)))/binary>>},
    Item = el(<<"item">>, [Id], [payload()]),
    Jid = {<<"jid">>, Self},
    [
        {result, info, get, disco(?NS_INFO, Node, [])},
        {result, rows, get, disco(?NS_ITEMS, Node, [])},
        {result, rows_page, get, disco(?NS_ITEMS, Stream, [Rsm])},
        {result, items, get, pubsub([on(<<"items">>, Stream, [], [])])},
        {result, items_max, get, pubsub([on(<<"items">>, Stream, [{<<"max_items">>, <<"3">>}], [])])},
        {result, items_ids, get, pubsub([on(<<"items">>, Stream, [], [el(<<"item">>, [{<<"id">>, Post}], [])])])},
        {result, items_page, get, pubsub([on(<<"items">>, Stream, [], []), Rsm])},
        {result, publish, set, pubsub([on(<<"publish">>, ?MINE, [], [Item])])},
        {result, publish_options, set, pubsub([
            on(<<"publish">>, ?MINE, [], [Item]), el(<<"publish-options">>, [], [form(<<"publish-options">>, [])])
        ])},
        {either, retract, set, pubsub([on(<<"retract">>, ?MINE, [], [el(<<"item">>, [Id], [])])])},
        {result, subscribe, set, pubsub([on(<<"subscribe">>, Stream, [Jid], [])])},
        {error, unsubscribe, set, pubsub([on(<<"unsubscribe">>, Stream, [Jid], [])])},
        {error, options, get, pubsub([on(<<"options">>, Stream, [Jid], [])])},
        {error, create, set, pubsub([on(<<"create">>, Node, [], [])])},
        {result, subscriptions, get, pubsub([on(<<"subscriptions">>, Node, [], [])])},
        {result, affiliations, get, pubsub([on(<<"affiliations">>, Node, [], [])])},
        {error, configure, set, owner([on(<<"configure">>, Node, [], [form(<<"node_config">>, [{<<"pubsub#access_model">>, <<"open">>}])])])},
        {error, configuration, get, owner([on(<<"configure">>, Node, [], [])])},
        {error, delete, set, owner([on(<<"delete">>, Node, [], [])])},
        {error, affiliate, set, owner([on(<<"affiliations">>, Node, [], [el(<<"affiliation">>, [Jid, {<<"affiliation">>, <<"owner">>}], [])])])},
        {result, command, set, command(one_of([<<"twitter#latest">>, <<"twitter#post">>, <<"/twitter">>, ?MINE]), [], [])},
        {result, command_info, get, disco(?NS_INFO, <<"twitter#latest">>, [])},
        {result, command_rows, get, disco(?NS_ITEMS, ?NS_COMMANDS, [])},
        {error, submit, set, command(?MINE, [{<<"sessionid">>, odd_word()}], [form(<<"odd">>, [{<<"text">>, odd_text()}])])},
        {error, pending, set, el(<<"command">>, [
            {<<"xmlns">>, ?NS_COMMANDS}, {<<"node">>, <<"http://jabber.org/protocol/pubsub#get-pending">>}, {<<"action">>, <<"execute">>}
        ], [form(<<"subscribe_authorization">>, [{<<"pubsub#node">>, Node}])])}
    ].

payload() ->
    one_of([
        {xmlcdata, <<"Hello ", (integer_to_binary(rand:uniform(1000)))/binary>>},
        el(<<"entry">>, [{<<"xmlns">>, <<"http://www.w3.org/2005/Atom">>}], [el(<<"title">>, [], [{xmlcdata, <<"Hello">>}])]),
        el(<<"x">>, [{<<"xmlns">>, <<"urn:x">>}, {<<"a">>, odd_text()}], [{xmlcdata, odd_text()}, el(<<"y">>, [], [])])
    ]).

command(Node, Attrs, Children) ->
    el(<<"command">>, [{<<"xmlns">>, ?NS_COMMANDS}, {<<"node">>, Node}, {<<"action">>, <<"execute">>} | Attrs], Children).

disco(Namespace, Node, Children) -> el(<<"query">>, [{<<"xmlns">>, Namespace}, {<<"node">>, Node}], Children).
pubsub(Children) -> el(<<"pubsub">>, [{<<"xmlns">>, ?NS_PUBSUB}], Children).
owner(Children) -> el(<<"pubsub">>, [{<<"xmlns">>, ?NS_OWNER}], Children).
on(Name, Node, Attrs, Children) -> el(Name, [{<<"node">>, Node} | Attrs], Children).

form(Type, Fields) ->
    el(<<"x">>, [{<<"xmlns">>, <<"jabber:x:data">>}, {<<"type">>, <<"submit">>}], [
        el(<<"field">>, [{<<"var">>, Var}], [el(<<"value">>, [], [{xmlcdata, Value}])])
     || {Var, Value} <- [{<<"FORM_TYPE">>, <<"http://jabber.org/protocol/pubsub#", Type/binary>>} | Fields]
    ]).

%%% Mistakes

%% All that can be wrong about such a request, each a mistake that no answer but an error fits.
mistakes(Name, Type, #xmlel{children = Children} = Element, #{friend := Friend}) ->
    Odd = one_of([odd_node(), stored_node(Friend)]),
    [{other_type, {other(Type), Element}} || Name =/= pending] ++
        [
            {namespace, set_attr(<<"xmlns">>, one_of([<<>>, <<"urn:odd">>, <<?NS_PUBSUB/binary, "#odd">>, odd_word()]), Element)},
            {name, Element#xmlel{name = one_of([<<"odd">>, <<"Pubsub">>, <<"pubsubs">>])}}
        ] ++
        [{node, set_attr(<<"node">>, Odd, Element)} || lists:member(Name, [info, rows, rows_page, command])] ++
        [
            {command, set_attr(Attr, Value, Element)}
         || command <- [Name], {Attr, Value} <- [{<<"action">>, odd_word()}, {<<"action">>, <<"complete">>}, {<<"sessionid">>, odd_word()}]
        ] ++
        [
            {Mistake, Element#xmlel{children = [Changed | tl(Children)]}}
         || #xmlel{name = <<"pubsub">>} <- [Element],
            {Mistake, Changed} <- [
                {inner_namespace, set_attr(<<"xmlns">>, <<"urn:odd">>, hd(Children))}, {inner_name, (hd(Children))#xmlel{name = <<"odd">>}},
                {inner_node, set_attr(<<"node">>, Odd, hd(Children))}
            ]
        ] ++
        [{empty, Element#xmlel{children = []}} || #xmlel{name = <<"pubsub">>} <- [Element]] ++
        own_mistakes(Name, Element).

other(get) -> set;
other(set) -> get.

own_mistakes(Publish, #xmlel{children = [#xmlel{children = [Item]} = Inner | Rest]} = Element) when Publish =:= publish; Publish =:= publish_options ->
    #xmlel{children = [Payload]} = Item,
    Published = fun(Items) -> Element#xmlel{children = [Inner#xmlel{children = Items} | Rest]} end,
    X = el(<<"x">>, [{<<"xmlns">>, <<"urn:x">>}], []),
    [
        {no_item, Published([])},
        {two_items, Published([Item, Item])},
        {many_items, Published(lists:duplicate(300, Item))},
        {no_payload, Published([Item#xmlel{children = one_of([[], [{xmlcdata, <<" \n ">>}], [{xmlcdata, <<"\x{200b}\x{202e}"/utf8>>}]])}])},
        {two_payloads, Published([Item#xmlel{children = one_of([[X, Payload], [X, {xmlcdata, <<"text">>}], [Payload, X, X]])}])},
        {many_payloads, Published([Item#xmlel{children = lists:duplicate(300, X)}])},
        {long_id, Published([set_attr(<<"id">>, binary:copy(<<"i">>, 256 + rand:uniform(60_000)), Item)])},
        {deep, Published([Item#xmlel{children = [nested(64 + rand:uniform(900), X)]}])},
        {big, Published([Item#xmlel{children = [{xmlcdata, binary:copy(<<"<&">>, 40_000)}]}])},
        {types, Element#xmlel{children = [Inner, el(<<"publish-options">>, [], [no_form(<<"publish-options">>)])]}},
        {beside, Element#xmlel{children = [Inner, on(one_of([<<"items">>, <<"retract">>, <<"subscribe">>, <<"unsubscribe">>]), ?MINE, [{<<"jid">>, <<"a@b">>}], [])]}}
    ];
own_mistakes(Page, #xmlel{children = Children} = Element) when Page =:= rows_page; Page =:= items_page ->
    Rsm = lists:last(Children),
    With = fun(Name, Text) ->
        Others = [El || #xmlel{name = Called} = El <- Rsm#xmlel.children, Called =:= <<"max">>, Called =/= Name],
        Element#xmlel{children = lists:droplast(Children) ++ [Rsm#xmlel{children = Others ++ [el(Name, [], [{xmlcdata, Text}])]}]}
    end,
    [{no_number, With(Name, bad_number())} || Name <- [<<"max">>, <<"index">>]] ++
        [{no_cursor, With(Name, one_of([<<"0">>, <<"2008-05-08T18:30:02Z">>, odd_word(), binary:copy(<<"A">>, 10_000)]))} || Name <- [<<"after">>, <<"before">>]] ++
        [{both_ways, Element#xmlel{children = lists:droplast(Children) ++ [Rsm#xmlel{children = [el(<<"after">>, [], []), el(<<"before">>, [], [])]}]}}];
own_mistakes(items_max, #xmlel{children = [Items]} = Element) ->
    [{no_number, Element#xmlel{children = [set_attr(<<"max_items">>, bad_number(), Items)]}}];
own_mistakes(items_ids, #xmlel{children = [#xmlel{children = [Item]} = Items]} = Element) ->
    [{many_ids, Element#xmlel{children = [Items#xmlel{children = lists:duplicate(1001, Item)}]}}];
own_mistakes(retract, #xmlel{children = [#xmlel{children = [Item]} = Retract]} = Element) ->
    With = fun(Items) -> Element#xmlel{children = [Retract#xmlel{children = Items}]} end,
    [{no_item, With([])}, {two_items, With([Item, Item])}, {no_id, With([Item#xmlel{attrs = []}])},
     {unknown_id, With([set_attr(<<"id">>, one_of([<<"none">>, odd_word()]), Item)])}];
own_mistakes(subscribe, #xmlel{children = [Subscribe]} = Element) ->
    [{jid, Element#xmlel{children = [set_attr(<<"jid">>, one_of([<<>>, <<"@">>, <<"a@b@c">>, <<"other@localhost">>, binary:copy(<<"j">>, 5000)]), Subscribe)]}}];
own_mistakes(pending, Element) ->
    [{types, Element#xmlel{children = [no_form(<<"subscribe_authorization">>)]}}];
own_mistakes(_, _) ->
    [].

%% A form that says not what it is, or twice. mod_pubsub crashes on it.
no_form(Type) ->
    #xmlel{children = [#xmlel{children = [Value]} = Field]} = Form = form(Type, []),
    Form#xmlel{children = [Field#xmlel{children = one_of([[], [Value, Value]])}]}.

bad_number() ->
    one_of([<<"x">>, <<"-1">>, <<"1.5">>, <<"0x10">>, <<"1e3">>, <<"-99999999999999999999999">>, <<"١"/utf8>>, odd_word()]).

%%% Anything

%% Something is changed somewhere: an element, an attribute, what is between.
changed(#xmlel{attrs = Attrs, children = Children} = Element) ->
    case rand:uniform(10) of
        1 -> Element#xmlel{children = Children ++ [rubbish()]};
        2 -> Element#xmlel{children = [rubbish() | Children]};
        3 when Children =/= [] -> Element#xmlel{children = [one_of(Children) | Children]};
        4 when length(Children) > 1 -> Element#xmlel{children = tl(Children)};
        5 when Attrs =/= [] -> changed_attr(one_of(Attrs), Element);
        6 -> set_attr(one_of([<<"id">>, <<"jid">>, <<"type">>, <<"max_items">>, <<"subid">>, <<"xml:lang">>, <<"notify">>]), odd_text(), Element);
        7 -> Element#xmlel{children = lists:append(lists:duplicate(copies(Children), Children))};
        _ ->
            case [El || #xmlel{} = El <- Children] of
                [] -> Element#xmlel{children = [rubbish() | Children]};
                Elements ->
                    Inner = one_of(Elements),
                    Element#xmlel{children = [case Child of Inner -> changed(Inner); _ -> Child end || Child <- Children]}
            end
    end.

%% Many, but of what is large.
copies(Children) ->
    Size = erlang:external_size(Children),
    max(2, min(200, 50_000 div Size)).

%% A node stays one of ours: others may be made by whoever publishes there.
changed_attr({<<"node">>, _}, Element) -> set_attr(<<"node">>, odd_node(), Element);
changed_attr({<<"xmlns">>, _}, Element) -> set_attr(<<"xmlns">>, one_of([?NS_INFO, ?NS_ITEMS, ?NS_PUBSUB, ?NS_OWNER, ?NS_COMMANDS, <<"urn:odd">>]), Element);
changed_attr({Name, _}, Element) -> set_attr(Name, odd_text(), Element).

rubbish() ->
    one_of([
        {xmlcdata, odd_text()},
        el(one_of([<<"item">>, <<"items">>, <<"publish">>, <<"set">>, <<"x">>, <<"options">>, <<"configure">>, <<"error">>, <<"iq">>]),
           [{<<"xmlns">>, one_of([?NS_PUBSUB, ?NS_OWNER, <<"jabber:x:data">>, <<"jabber:client">>, <<"urn:ejabberd:twitter:payload">>, <<>>])},
            {<<"node">>, odd_node()}, {<<"id">>, odd_text()}], [{xmlcdata, odd_text()}]),
        nested(rand:uniform(500), {xmlcdata, <<"deep">>}),
        el(<<"wide">>, [], lists:duplicate(rand:uniform(1000), el(<<"y">>, [], [])))
    ]).

%% @doc Any element with a namespace, so deep at most.
-spec element(Depth :: pos_integer()) -> #xmlel{}.
element(Depth) ->
    Namespaces = [{<<"xmlns">>, one_of([<<"urn:x">>, <<"urn:y">>, <<"jabber:client">>, ?NS_PUBSUB])}],
    Attrs = [{Name, odd_text()} || Name <- [<<"id">>, <<"to">>, <<"xml:lang">>], rand:uniform(2) =:= 1],
    Children = [one_of([{xmlcdata, odd_text()}, el(<<"y">>, [{<<"a">>, odd_text()}], [])]) || _ <- lists:seq(1, rand:uniform(4))],
    Deeper = [element(Depth - 1) || Depth > 1, _ <- lists:seq(1, rand:uniform(3))],
    el(one_of([<<"x">>, <<"item">>, <<"message">>, <<"payload">>]), Namespaces ++ Attrs, Deeper ++ Children).

nested(Depth, Innermost) ->
    lists:foldl(fun(_, Inner) -> el(<<"a">>, [], [Inner]) end, Innermost, lists:seq(1, Depth)).

%% No nodes, but nearly.
odd_node() ->
    Odd = odd_text(),
    one_of([
        <<"/twitter/">>, <<"/twitter//">>, <<"/twitter/MyStream/">>, <<"/twitter/MyFriends/">>, <<"/twitter/mystream">>, <<"/twitter/FriendsStream//">>,
        <<"/twitter/MyFriends/@">>, <<"/twitter/MyFriends/a@b/c">>, <<"/twitter/../twitter/MyStream">>, <<"/twitter/%4dyStream">>,
        <<"/twitter/", Odd/binary>>, <<"/twitter/MyStream/", Odd/binary, "none">>, <<"/twitter/MyFriends/", Odd/binary>>,
        <<"/twitter/MyFriends/", Odd/binary, "/none">>, <<"/twitter/MyStream/", (binary:copy(<<"x">>, 60_000))/binary>>
    ]).

ordinary_node(Friend) ->
    one_of([<<"/twitter">>, ?MINE, <<"/twitter/FriendsStream">>, stored_node(Friend)]).

node_attr(Node) -> {<<"node">>, Node}.

stored_node(Author) ->
    <<"/twitter/", Author/binary, "/MyStream">>.

odd_text() ->
    one_of([
        <<>>, <<" ">>, <<"!">>, <<"/">>, <<"//">>, <<"%">>, <<"%00">>, <<"..">>, <<"'\"<&>]]>">>, <<"&#0;">>, <<"\t\n">>, <<"\x{7f}\x{85}\x{9f}"/utf8>>,
        <<"\x{202e}\x{2067}\x{200d}"/utf8>>, <<"e", (binary:copy(<<"\x{301}"/utf8>>, 200))/binary>>, <<"שלום"/utf8>>, <<"\x{d7ff}\x{e000}\x{fffd}"/utf8>>,
        <<"\x{1fffe}\x{10ffff}\x{fdd0}"/utf8>>, <<"👨‍👩‍👧🇩🇪"/utf8>>, binary:copy(<<"x">>, 1 bsl rand:uniform(14)), odd_word()
    ]).

%% No number, no cursor, no id of a post.
odd_word() ->
    <<"odd", (integer_to_binary(rand:uniform(1 bsl 60)))/binary>>.

set_attr(Name, Value, #xmlel{attrs = Attrs} = Element) ->
    Element#xmlel{attrs = lists:keystore(Name, 1, Attrs, {Name, Value})}.

el(Name, Attrs, Children) ->
    twitter_requests:el(Name, Attrs, Children).

one_of(List) ->
    lists:nth(rand:uniform(length(List)), List).
