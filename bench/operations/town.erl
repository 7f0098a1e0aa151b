%%% A whole town of users, with contacts and posts, written into the tables of a server from inside of it.
-module(town).

-include_lib("ejabberd/include/mod_roster.hrl").
-include_lib("ejabberd/include/pubsub.hrl").

-export([build/3, name/1]).

-define(HOST, <<"pubsub.localhost">>).
-define(DOMAIN, <<"localhost">>).
-define(TEXT, <<"A post of usual length, of some eighty characters or so, as people write them">>).

%% @doc Users, each with so many contacts on both sides, and so many posts. Returns when all is on disk.
-spec build(Users :: pos_integer(), Contacts :: pos_integer(), Posts :: pos_integer()) -> ok.
build(Users, Contacts, Posts) ->
    lists:foreach(
        fun(N) ->
            ok = ejabberd_auth:try_register(name(N), ?DOMAIN, <<"secret">>),
            [ok = contact(N, neighbour(N, Step, Users)) || Step <- steps(Contacts)],
            ok = posts(N, Posts)
        end,
        lists:seq(1, Users)
    ),
    ok = mnesia:sync_log().

-spec name(pos_integer()) -> binary().
name(N) ->
    iolist_to_binary(io_lib:format("user~7..0b", [N])).

%% Everybody knows those who live around him, and they know him.
steps(Contacts) ->
    [Step || Step <- lists:seq(-(Contacts div 2), Contacts div 2), Step =/= 0].

neighbour(N, Step, Users) ->
    (N - 1 + Step + Users) rem Users + 1.

contact(One, Other) ->
    Contact = {name(Other), ?DOMAIN, <<>>},
    mnesia:dirty_write(#roster{
        usj = {name(One), ?DOMAIN, Contact}, us = {name(One), ?DOMAIN}, jid = Contact, subscription = both
    }).

%% As the plugin stores them, without what each of them would cost by itself.
posts(N, Posts) ->
    Author = jid:make(name(N), ?DOMAIN),
    Name = jid:encode(Author),
    ok = twitter_store:ensure_node(?HOST, Author),
    Nidx = twitter_store:owned_node(?HOST, Name, Author),
    Key = jid:tolower(Author),
    Ids = [integer_to_binary(Post) || Post <- lists:seq(1, Posts)],
    Began = erlang:system_time(microsecond) - 86_400_000_000,
    lists:foreach(
        fun({Post, Id}) ->
            At = twitter_store:timestamp(Began + Post * 1_000_000),
            Payload = twitter_post:payload([{xmlcdata, ?TEXT}]),
            ok = mnesia:dirty_write(#pubsub_item{
                itemid = {Id, Nidx}, nodeidx = Nidx, creation = {At, Key}, modification = {At, Key}, payload = Payload
            })
        end,
        lists:zip(lists:seq(1, Posts), Ids)
    ),
    [State] = mnesia:dirty_read(pubsub_state, {Key, Nidx}),
    ok = mnesia:dirty_write(State#pubsub_state{items = lists:reverse(Ids)}).
