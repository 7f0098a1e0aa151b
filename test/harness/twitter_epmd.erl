%%% Where the nodes of a cluster find each other, in the place of epmd: a node's name says on which port it listens, as
%%% in n40123@127.0.0.1. So no daemon is started that would outlive the tests.
-module(twitter_epmd).

-export([start_link/0, register_node/2, register_node/3, address_please/3, listen_port_please/2]).
-export([port_please/2, port_please/3, names/1]).

%% @doc There is nothing to be started.
-spec start_link() -> ignore.
start_link() ->
    ignore.

-spec register_node(Name :: atom() | string(), inet:port_number()) -> {ok, Creation :: pos_integer()}.
register_node(Name, Port) ->
    register_node(Name, Port, inet).

%% @doc A node that is started again is another one.
-spec register_node(Name :: atom() | string(), inet:port_number(), Driver :: atom()) -> {ok, Creation :: pos_integer()}.
register_node(_Name, _Port, _Driver) ->
    {ok, rand:uniform(1 bsl 31)}.

-spec address_please(Name :: string(), Host :: string(), Family :: atom()) -> {ok, inet:ip_address()}.
address_please(_Name, _Host, _Family) ->
    {ok, {127, 0, 0, 1}}.

-spec listen_port_please(Name :: atom() | string(), Host :: term()) -> {ok, inet:port_number()}.
listen_port_please(Name, _Host) ->
    {ok, port(Name)}.

-spec port_please(Name :: atom() | string(), Host :: term()) -> {port, inet:port_number(), Version :: 6}.
port_please(Name, _Host) ->
    {port, port(Name), 6}.

-spec port_please(Name :: atom() | string(), Host :: term(), timeout()) -> {port, inet:port_number(), Version :: 6}.
port_please(Name, Host, _Timeout) ->
    port_please(Name, Host).

-spec names(Host :: term()) -> {error, address}.
names(_Host) ->
    {error, address}.

port(Name) when is_atom(Name) ->
    port(atom_to_list(Name));
port([$n | Port]) ->
    list_to_integer(Port).
