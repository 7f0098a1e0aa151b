%%% Many followers of one author, who live on another server: from inside of both servers.
-module(crowd).

-include_lib("ejabberd/include/mod_roster.hrl").

-export([accounts/3, follow/2, followed/2]).

%% @doc Users of this server.
-spec accounts(Domain :: binary(), Prefix :: binary(), Count :: pos_integer()) -> [{User :: binary(), Domain :: binary()}].
accounts(Domain, Prefix, Count) ->
    Users = [{iolist_to_binary(io_lib:format("~ts~6..0b", [Prefix, N])), Domain} || N <- lists:seq(1, Count)],
    [ok = ejabberd_auth:try_register(Name, Domain, <<"secret">>) || {Name, _} <- Users],
    Users.

%% @doc These users of this server see the author's presence.
-spec follow([{binary(), binary()}], Author :: {binary(), binary()}) -> ok.
follow(Users, Author) ->
    lists:foreach(fun(User) -> contact(User, Author, to) end, Users).

%% @doc The author, of this server, lets them.
-spec followed(Author :: {binary(), binary()}, [{binary(), binary()}]) -> ok.
followed(Author, Users) ->
    lists:foreach(fun(User) -> contact(Author, User, from) end, Users).

contact({Name, Domain}, {ContactName, ContactDomain}, Subscription) ->
    Contact = {ContactName, ContactDomain, <<>>},
    ok = mnesia:dirty_write(#roster{
        usj = {Name, Domain, Contact}, us = {Name, Domain}, jid = Contact, subscription = Subscription
    }).
