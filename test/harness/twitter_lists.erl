%%% Privacy lists (XEP-0016), as ways in which a reader ceases to see an author and comes to see him again.
%%%
%%% An author's default list says whom his presence goes to; his posts go with it. A reader's list says
%%% whether he takes presence and messages of the author; of both a post has something.
-module(twitter_lists).

-export([ways/0, set/2, item/2, item/3]).

-define(SEEN, #{push => true, read => true}).

%% @doc All ways, each with a list that is the default list of one side.
-spec ways() -> [twitter_changes:way()].
ways() ->
    [by_author(Name, Items) || {Name, Items} <- authors_lists()] ++
        [(by_author(Name, Items))#{left := ?SEEN} || {Name, Items} <- authors_vain_lists()] ++
        [by_reader(Name, Items) || {Name, Items} <- readers_lists()] ++
        [(by_reader(Name, Items))#{left := ?SEEN} || {Name, Items} <- readers_vain_lists()] ++
        [an_edited_list(), another_list(), another_group(), another_subscription()].

authors_lists() ->
    [
        {author_denies_a_jid, fun(P) -> item(P, reader) end},
        {author_denies_presence_out, fun(P) -> item(P, reader, [<<"presence-out">>]) end},
        {author_denies_some_presence_out, fun(P) -> item(P, reader, [<<"message">>, <<"presence-out">>]) end},
        {author_denies_a_group, fun(_) -> deny(<<"group">>, <<"Work">>, [<<"presence-out">>]) end},
        {author_allows_another_and_denies_all, fun(P) -> [service(1), allow(2, P, sees), everybody(3, [])] end},
        {author_is_invisible_but_to_another, fun(P) -> [allow(1, P, sees), everybody(2, [<<"presence-out">>])] end}
    ].

%% What keeps nothing from the reader that is his.
authors_vain_lists() ->
    [
        {author_denies_what_comes_in, fun(P) -> item(P, reader, [<<"message">>, <<"iq">>, <<"presence-in">>]) end},
        {author_denies_another_group, fun(_) -> deny(<<"group">>, <<"Family">>, []) end},
        {author_allows_him_before_he_denies_all, fun(P) ->
            [service(1), allow(2, P, reader), allow(3, P, sees), everybody(4, [])]
        end}
    ].

readers_lists() ->
    [
        {reader_denies_a_jid, fun(P) -> item(P, author) end},
        {reader_denies_messages, fun(P) -> item(P, author, [<<"message">>]) end},
        {reader_denies_presence_in, fun(P) -> item(P, author, [<<"presence-in">>]) end},
        {reader_denies_a_subscription_by_group, fun(_) -> deny(<<"group">>, <<"Work">>, [<<"message">>]) end},
        {reader_allows_others_and_denies_all, fun(P) -> [service(1), allow(2, P, seen), everybody(3, [])] end}
    ].

readers_vain_lists() ->
    [
        {reader_denies_iq, fun(P) -> item(P, author, [<<"iq">>]) end},
        {reader_denies_presence_out, fun(P) -> item(P, author, [<<"presence-out">>]) end}
    ].

by_author(Name, Items) ->
    decline(author, twitter_changes:way(Name, introduce(author, Items), nothing(), use(author, <<"x">>))).

by_reader(Name, Items) ->
    (decline(reader, twitter_changes:way(Name, introduce(reader, Items), nothing(), use(reader, <<"x">>))))#{away := false}.

decline(Who, Way) ->
    Way#{gain := fun(#{Who := Client}) -> set(Client, <<"<default/>">>) end}.

use(Who, List) ->
    fun(#{Who := Client}) -> set(Client, [<<"<default name='">>, List, <<"'/>">>]) end.

nothing() ->
    fun(_) -> ok end.

%% Friends, who have each other in a group, and then a list of one of them in force.
introduce(Who, Items) ->
    fun(#{Who := Client} = People) ->
        befriend(People, <<"Work">>),
        set_list(Client, <<"x">>, Items(People)),
        (use(Who, <<"x">>))(People)
    end.

befriend(#{author := Author, reader := Reader}, Group) ->
    [
        group(One, Other, Group)
     || {One, Other} <- [{Author, Reader}, {Reader, Author}]
    ],
    ok = twitter_changes:subscribe(Reader, Author),
    ok = twitter_changes:subscribe(Author, Reader).

group(Client, Contact, Group) ->
    _ = twitter_answers:result(twitter_client:request(Client, [
        <<"<iq type='set'><query xmlns='jabber:iq:roster'><item jid='">>, twitter_client:bare(Contact),
        <<"'><group>">>, Group, <<"</group></item></query></iq>">>
    ])),
    ok.

%%% Changes of what a list says, or of what it speaks of, while it is in force

an_edited_list() ->
    Edit = fun(Items) -> fun(#{author := Author} = P) -> set_list(Author, <<"x">>, Items(P)) end end,
    Deny = fun(P) -> item(P, reader) end,
    Allow = fun(P) -> [allow(1, P, sees)] end,
    twitter_changes:way(author_edits_his_list, introduce(author, Deny), Edit(Allow), Edit(Deny)).

another_list() ->
    Before = fun(#{author := Author} = P) ->
        set_list(Author, <<"y">>, [allow(1, P, sees)]),
        (introduce(author, fun(People) -> item(People, reader) end))(P)
    end,
    twitter_changes:way(author_takes_another_list, Before, use(author, <<"y">>), use(author, <<"x">>)).

another_group() ->
    Items = fun(_) -> deny(<<"group">>, <<"Work">>, [<<"presence-out">>]) end,
    Move = fun(Group) -> fun(#{author := Author, reader := Reader}) -> group(Author, Reader, Group) end end,
    (twitter_changes:way(author_moves_him_to_another_group, introduce(author, Items), Move(<<"Home">>), Move(<<"Work">>)))#{away := false}.

%% Denied are those whom the author does not see himself.
another_subscription() ->
    Items = fun(_) -> deny(<<"subscription">>, <<"from">>, [<<"presence-out">>]) end,
    Leave = fun(#{author := Author, reader := Reader}) -> twitter_changes:send_presence(Author, Reader, <<"unsubscribe">>) end,
    Return = fun(#{author := Author, reader := Reader}) -> twitter_changes:subscribe(Author, Reader) end,
    Before = fun(P) -> (introduce(author, Items))(P), Leave(P) end,
    (twitter_changes:way(author_denies_who_is_not_his_contact, Before, Return, Leave))#{away := false}.

%%% Lists

%% @doc A request of this content to one's own lists.
-spec set(twitter_client:client(), iodata()) -> ok.
set(Client, Content) ->
    Request = [<<"<iq type='set'><query xmlns='jabber:iq:privacy'>">>, Content, <<"</query></iq>">>],
    _ = twitter_answers:result(twitter_client:request(Client, Request)),
    ok.

set_list(Client, Name, Items) ->
    set(Client, [<<"<list name='">>, Name, <<"'>">>, Items, <<"</list>">>]).

%% @doc An item that denies one of them everything.
-spec item(twitter_people:people(), Whom :: atom()) -> iodata().
item(People, Whom) ->
    item(People, Whom, []).

%% @doc An item that denies one of them stanzas of these kinds.
-spec item(twitter_people:people(), Whom :: atom(), [Kind :: binary()]) -> iodata().
item(People, Whom, Kinds) ->
    deny(<<"jid">>, jid(Whom, People), Kinds).

deny(Type, Value, Kinds) ->
    element(<<"deny">>, 1, [<<"type='">>, Type, <<"' value='">>, Value, <<"'">>], Kinds).

%% Without it there are no requests either.
service(Order) ->
    allow_jid(Order, <<"pubsub.localhost">>).

allow(Order, People, Whom) ->
    allow_jid(Order, jid(Whom, People)).

allow_jid(Order, Jid) ->
    element(<<"allow">>, Order, [<<"type='jid' value='">>, Jid, <<"'">>], []).

everybody(Order, Kinds) ->
    element(<<"deny">>, Order, <<>>, Kinds).

element(Action, Order, Attributes, Kinds) ->
    [
        <<"<item action='">>, Action, <<"' order='">>, integer_to_binary(Order), <<"' ">>, Attributes, <<">">>,
        [[$<, Kind, <<"/>">>] || Kind <- Kinds], <<"</item>">>
    ].

%% Also of a reader who is away.
jid(reader, #{reader_user := User}) ->
    twitter_users:jid(User);
jid(Whom, People) ->
    case maps:get(Whom, People) of
        Client when is_pid(Client) -> twitter_client:bare(Client);
        Jid -> Jid
    end.
