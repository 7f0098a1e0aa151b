%%% Every kind of request that can name a node, for tests of what all of them answer.
-module(twitter_asks).

-export([all/0, pending/2]).

%% A place in the year 2020, in front of all posts: base64 of 1577836800000000/a@b/1.
-define(PLACE, <<"MTU3NzgzNjgwMDAwMDAwMC9hQGIvMQ">>).

-type ask() :: fun((twitter_requests:place(), Node :: binary()) -> Answer :: fxml:xmlel()).

%% @doc All requests, by name.
-spec all() -> [{atom(), ask()}].
all() ->
    [
        {info, fun twitter_requests:info/2},
        {rows, fun twitter_requests:rows/2},
        {rows_page, fun(Client, Node) -> twitter_requests:rows(Client, Node, #{max => 5}) end},
        {items, fun twitter_requests:items/2},
        {items_max, fun(Client, Node) ->
            twitter_requests:items(Client, Node, #{max_items => 1})
        end},
        {items_ids, fun(Client, Node) ->
            twitter_requests:items(Client, Node, #{ids => [<<"secret">>, <<"1">>]})
        end},
        {items_page, fun(Client, Node) ->
            twitter_requests:items(Client, Node, #{rsm => #{max => 5, before => <<>>}})
        end},
        {items_index, fun(Client, Node) ->
            twitter_requests:items(Client, Node, #{rsm => #{max => 5, index => 0}})
        end},
        {items_after, fun(Client, Node) ->
            twitter_requests:items(Client, Node, #{rsm => #{max => 5, 'after' => ?PLACE}})
        end},
        {rows_before, fun(Client, Node) ->
            twitter_requests:rows(Client, Node, #{max => 5, before => ?PLACE})
        end},
        {command, fun(Client, Node) -> command(Client, Node, []) end},
        {pending, fun pending/2}
    ] ++
        [
            {{pubsub, Name, Type}, request(pubsub, Name, Type, Attrs, Children)}
         || {Name, Type, Attrs, Children} <- pubsub()
        ] ++
        [
            {{owner, Name, Type}, request(owner, Name, Type, Attrs, Children)}
         || {Name, Type, Attrs, Children} <- owner()
        ].

pubsub() ->
    Item = el(<<"item">>, [{<<"id">>, <<"1">>}], [{xmlcdata, <<"Hello">>}]),
    [
        {publish, set, [], [Item]},
        {retract, set, [], [el(<<"item">>, [{<<"id">>, <<"secret">>}], [])]},
        {subscribe, set, [jid], []},
        {unsubscribe, set, [jid], []},
        {options, get, [jid], []},
        {options, set, [jid], [form(<<"subscribe_options">>, <<"pubsub#deliver">>, <<"1">>)]},
        {create, set, [], []},
        {subscriptions, get, [], []},
        {affiliations, get, [], []},
        {affiliations, set, [], []},
        {publish, get, [], [Item]},
        {items, set, [], []}
    ].

owner() ->
    Jid = {<<"jid">>, <<"eve@localhost">>},
    Affiliation = el(<<"affiliation">>, [Jid, {<<"affiliation">>, <<"owner">>}], []),
    Subscription = el(<<"subscription">>, [Jid, {<<"subscription">>, <<"subscribed">>}], []),
    [
        {configure, get, [], []},
        {configure, set, [], [form(<<"node_config">>, <<"pubsub#access_model">>, <<"open">>)]},
        {purge, set, [], []},
        {delete, set, [], []},
        {affiliations, get, [], []},
        {affiliations, set, [], [Affiliation]},
        {subscriptions, get, [], []},
        {subscriptions, set, [], [Subscription]}
    ].

request(Namespace, Name, Type, Attrs, Children) ->
    fun(Client, Node) ->
        Jid = [{<<"jid">>, twitter_client:bare(asker(Client))} || jid <- Attrs],
        Child = el(atom_to_binary(Name), [{<<"node">>, Node} | Jid], Children),
        twitter_requests:Namespace(Client, Type, [Child])
    end.

asker({Client, _Service}) -> Client;
asker(Client) -> Client.

%% @doc The command that shows pending subscriptions of a node, or with `none' asks for the
%% form with the nodes to choose from.
-spec pending(twitter_requests:place(), Node :: binary() | none) -> Answer :: fxml:xmlel().
pending(Client, Node) ->
    Form = [form(<<"subscribe_authorization">>, <<"pubsub#node">>, Node) || Node =/= none],
    command(Client, <<"http://jabber.org/protocol/pubsub#get-pending">>, Form).

command(Client, Command, Form) ->
    Attrs = [
        {<<"xmlns">>, <<"http://jabber.org/protocol/commands">>},
        {<<"node">>, Command},
        {<<"action">>, <<"execute">>}
    ],
    twitter_requests:ask(Client, set, el(<<"command">>, Attrs, Form)).

form(Type, Field, Value) ->
    FormType = <<"http://jabber.org/protocol/pubsub#", Type/binary>>,
    el(<<"x">>, [{<<"xmlns">>, <<"jabber:x:data">>}, {<<"type">>, <<"submit">>}], [
        el(<<"field">>, [{<<"var">>, Var}], [el(<<"value">>, [], [{xmlcdata, Text}])])
     || {Var, Text} <- [{<<"FORM_TYPE">>, FormType}, {Field, Value}]
    ]).

el(Name, Attrs, Children) ->
    twitter_requests:el(Name, Attrs, Children).
