%%% Several private servers that talk to each other over real s2s with dialback, on loopback: NAME has the vhost
%%% NAME.test and the service pubsub.NAME.test. They need neither root nor names on the machine. NAME and NAME_MORE
%%% are nodes of one cluster, see twitter_clustered; others try to connect to them in that order. There may be one.
%%%
%%% Each has its own name server, so that every connection from one to another goes through a cable of its own.
-module(twitter_federation).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([start/2, stock/0, stop/1, server/2, domain/1, service/1, names/1]).
-export([user/3, login/2, login/3, login_on/3, befriend/3, set_contact/4, server_of/2]).
-export([cable/3, cut/3, mend/3, route/3, settle/3, received/3, posts/3, await/3]).
-export([different_secrets/1]).
-export_type([name/0]).

-type config() :: [{atom(), term()}].
-type name() :: atom().

-define(CALM, #{
    s2s_access => all,
    %% Servers prove themselves by dialback.
    s2s_use_starttls => false,
    s2s_dns_timeout => 2,
    s2s_dns_retries => 1,
    %% Whoever could not be reached is tried again at once, not after minutes.
    s2s_max_retry_delay => 1
}).

%%% Servers

%% @doc For init_per_suite: servers with these names and options.
-spec start(config(), #{name() => map()}) -> config().
start(Config, Wanted) ->
    Dir = proplists:get_value(priv_dir, Config),
    Names = lists:sort(maps:keys(Wanted)),
    Ports = maps:from_list([{Name, twitter_server:free_port()} || Name <- Names]),
    Cables = maps:from_list([{{From, To}, twitter_cable:start(maps:get(To, Ports))}
                             || From <- Names, To <- Names, domain(From) =/= domain(To)]),
    Prepared = maps:map(fun(Name, Options) -> prepared(Name, Options, Dir, Ports, Cables) end, Wanted),
    Domains = maps:groups_from_list(fun domain/1, Names),
    {Servers, Started} = lists:foldl(fun(Domain, {Before, Known}) ->
        {Some, Now} = started(maps:get(Domain, Domains), Prepared, Known),
        {maps:merge(Before, Some), Now}
    end, {#{}, Config}, maps:keys(Domains)),
    Federation = #{servers => Servers,
                   name_servers => [NameServer || {_, NameServer} <- maps:values(Prepared)],
                   cables => Cables},
    [{federation, Federation} | Started].

prepared(Name, Options, Dir, Ports, Cables) ->
    InetRc = filename:join([Dir, atom_to_list(Name), "inetrc"]),
    Reached = lists:sort([Cable || {{From, _}, _} = Cable <- maps:to_list(Cables), From =:= Name]),
    Zone = maps:groups_from_list(fun({{_, To}, _}) -> domain(To) end, fun({_, Cable}) -> twitter_cable:port(Cable) end, Reached),
    {Options#{
        dir => Dir,
        name => atom_to_list(Name),
        hosts => [domain(Name)],
        s2s => [maps:get(Name, Ports)],
        env => [{"ERL_INETRC", unicode:characters_to_list(twitter_node:shown(Options, filename:absname(InetRc)))}],
        modules => maps:merge(#{mod_s2s_dialback => #{}}, maps:get(modules, Options, #{})),
        options => maps:merge(?CALM, maps:get(options, Options, #{}))
    }, twitter_names:start(Zone, InetRc)}.

started([Name], Prepared, Config) ->
    #{Name := {Options, _}} = Prepared,
    {ok, Server} = twitter_server:start(Options),
    {#{Name => Server}, Config};
started([First | _] = Names, Prepared, Config) ->
    Clustered = lists:foldl(
        fun(Name, Before) -> twitter_clustered:add(Before, Name, element(1, maps:get(Name, Prepared))) end,
        twitter_clustered:start(Config, [], #{hosts => [domain(First)]}), Names
    ),
    {maps:from_list([{Name, twitter_clustered:server(Clustered, Name)} || Name <- Names]), Clustered}.

%% @doc Options of a server without the plugin: it is the ejabberd of that Debian whose root the environment variable
%% TWITTER_OTHER_EJABBERD names, else the installed one.
-spec stock() -> map().
stock() ->
    case os:getenv("TWITTER_OTHER_EJABBERD", "") of
        "" -> #{plugin => false};
        Root -> #{plugin => false, root => Root}
    end.

-spec stop(config()) -> ok.
stop(Config) ->
    #{servers := Servers, name_servers := NameServers, cables := Cables} = federation(Config),
    %% The first one of a cluster has made the database.
    lists:foreach(fun twitter_server:stop/1, [Server || {_, Server} <- lists:reverse(lists:sort(maps:to_list(Servers)))]),
    lists:foreach(fun twitter_names:stop/1, NameServers),
    lists:foreach(fun twitter_cable:stop/1, maps:values(Cables)).

federation(Config) ->
    proplists:get_value(federation, Config).

-spec names(config()) -> [name()].
names(Config) ->
    maps:keys(maps:get(servers, federation(Config))).

-spec server(config(), name()) -> twitter_server:server().
server(Config, Name) ->
    #{servers := #{Name := Server}} = federation(Config),
    Server.

-spec domain(name()) -> binary().
domain(Name) ->
    [Domain | _] = binary:split(atom_to_binary(Name), <<"_">>),
    <<Domain/binary, ".test">>.

-spec service(name()) -> binary().
service(Name) ->
    <<"pubsub.", (domain(Name))/binary>>.

%% @doc ejabberd makes its dialback secret from the cookie if it has one: servers with the same would believe each
%% other everything.
-spec different_secrets(config()) -> ok.
different_secrets(Config) ->
    Secrets = maps:from_list([{Name, twitter_server:call(server(Config, Name), ejabberd_config, get_shared_key, [])}
                              || Name <- names(Config)]),
    [?assertEqual({One, Other, domain(One) =:= domain(Other)},
                  {One, Other, maps:get(One, Secrets) =:= maps:get(Other, Secrets)})
     || One <- names(Config), Other <- names(Config)],
    ok.

%%% Users

%% @doc A user that nobody else has.
-spec user(config(), name(), binary()) -> twitter_client:user().
user(Config, Name, Text) ->
    twitter_users:fresh(server(Config, Name), Text).

-spec login(config(), twitter_client:user()) -> twitter_client:client().
login(Config, User) ->
    login(Config, User, #{}).

-spec login(config(), twitter_client:user(), twitter_client:options()) -> twitter_client:client().
login(Config, User, Options) ->
    twitter_users:login(server_of(Config, User), User, Options).

%% @doc On that node of a cluster.
-spec login_on(config(), name(), twitter_client:user()) -> twitter_client:client().
login_on(Config, Name, User) ->
    twitter_users:login(server(Config, Name), User, #{resource => atom_to_binary(Name)}).

%% @doc The server of a user or client; of a cluster the first node.
-spec server_of(config(), twitter_client:user() | twitter_client:client()) -> twitter_server:server().
server_of(Config, Client) when is_pid(Client) ->
    server_of(Config, twitter_cases:user(Client));
server_of(Config, {_, Host}) ->
    server(Config, hd(nodes_of(Config, Host))).

nodes_of(Config, Host) ->
    [Name || Name <- lists:sort(names(Config)), domain(Name) =:= Host, twitter_server:is_running(server(Config, Name))].

%% @doc Both share presence: as their rosters say, from inside their servers.
-spec befriend(config(), twitter_client:user(), twitter_client:user()) -> ok.
befriend(Config, One, Other) ->
    ok = set_contact(Config, One, Other, both),
    ok = set_contact(Config, Other, One, both).

%% @doc Sets one side of a relation.
-spec set_contact(config(), twitter_client:user(), Contact :: twitter_client:user(), Subscription :: atom()) -> ok.
set_contact(Config, User, Contact, Subscription) ->
    twitter_users:set_contact(server_of(Config, User), User, Contact, Subscription, <<>>).

%%% What goes from one to another

-spec cable(config(), From :: name(), To :: name()) -> twitter_cable:cable().
cable(Config, From, To) ->
    maps:get({From, To}, maps:get(cables, federation(Config))).

%% @doc Neither reaches the other any more.
-spec cut(config(), name(), name()) -> ok.
cut(Config, One, Other) ->
    ok = twitter_cable:cut(cable(Config, One, Other)),
    ok = twitter_cable:cut(cable(Config, Other, One)).

-spec mend(config(), name(), name()) -> ok.
mend(Config, One, Other) ->
    ok = twitter_cable:mend(cable(Config, One, Other)),
    ok = twitter_cable:mend(cable(Config, Other, One)).

%% @doc A server sends a stanza as it is, whoever that says it is from.
-spec route(config(), name(), #xmlel{} | binary()) -> ok.
route(Config, Name, Text) when is_binary(Text) ->
    #xmlel{} = Stanza = fxml_stream:parse_element(Text),
    route(Config, Name, Stanza);
route(Config, Name, Stanza) ->
    Packet = twitter_server:call(server(Config, Name), xmpp, decode, [Stanza, ?NS_CLIENT, [ignore_els]]),
    ok = twitter_server:call(server(Config, Name), ejabberd_router, route, [Packet]).

%% @doc Returns when what a server has to tell this client of another server has come there, and has been handed to
%% his session: what it says now comes after all that it said before.
-spec settle(config(), From :: name(), twitter_client:client()) -> ok.
settle(Config, From, Client) ->
    ok = sent(Config, From),
    %% From each node of it, that may have sent the last.
    lists:foreach(fun(Name) -> ok = mark(Config, Name, Client) end, nodes_of(Config, domain(From))),
    {_, Host} = twitter_cases:user(Client),
    ok = with_plugin(Config, Host, fun(Server) -> twitter_server:call(Server, twitter_inbox, sync, [Host]) end),
    with_plugin(Config, Host, fun(Server) -> twitter_server:settle(Server, <<"pubsub.", Host/binary>>) end).

mark(Config, From, Client) ->
    Mark = integer_to_binary(erlang:unique_integer([positive])),
    ok = route(Config, From, iolist_to_binary([
        <<"<message from='">>, service(From), <<"' to='">>, twitter_client:jid(Client), <<"' id='">>, Mark,
        <<"'><body>Anything else?</body></message>">>
    ])),
    #xmlel{} = twitter_client:expect(Client, fun(Stanza) -> fxml:get_tag_attr_s(<<"id">>, Stanza) =:= Mark end),
    ok.

%% All nodes have sent before any is asked for what it owes: that may be what another one was told.
sent(Config, Name) ->
    ok = with_plugin(Config, domain(Name), fun(Server) -> twitter_server:settle(Server, service(Name)) end),
    with_plugin(Config, domain(Name), fun(Server) -> twitter_server:call(Server, twitter_links, sync, [domain(Name)]) end).

with_plugin(Config, Host, Do) ->
    lists:foreach(fun(Name) ->
        Server = server(Config, Name),
        case twitter_server:call(Server, code, which, [mod_twitter]) of
            non_existing -> ok;
            _ -> ok = Do(Server)
        end
    end, nodes_of(Config, Host)).

%% @doc All events that a client was sent, when a server has nothing left to tell him. Takes what was received.
-spec received(config(), From :: name(), twitter_client:client()) -> [#xmlel{}].
received(Config, From, Client) ->
    ok = settle(Config, From, Client),
    lists:filter(twitter_events:is_event(), twitter_client:sync(Client)).

%% @doc The same, as what is in them.
-spec posts(config(), From :: name(), twitter_client:client()) -> [twitter_events:entry()].
posts(Config, From, Client) ->
    lists:flatmap(fun twitter_events:entries/1, received(Config, From, Client)).

%% @doc Waits for the event that brings this post, from whichever server. Others stay where they are.
-spec await(twitter_client:client(), Id :: binary(), timeout()) -> #xmlel{}.
await(Client, Id, Timeout) ->
    twitter_client:expect(Client, twitter_events:is_event(<<"/twitter/FriendsStream">>, Id), Timeout).
