%%% Two servers to compare: a stock one (`nodetree: tree', no plugin on its path) and one with
%%% the plugin; and the words that the conversations with both are made of.
-module(twitter_stock).

-export([start/2, stop/1, enter/1, leave/1, compare/3]).
-export([create/1, delete/1, get_items/1, publish/2, retract/2, configure/1, configure/2, field/2, subscribe/2]).

-define(SERVICE, <<"pubsub.localhost">>).
-define(LIST, <<"<query xmlns='http://jabber.org/protocol/disco#items'/>">>).
-define(INFO, <<"<query xmlns='http://jabber.org/protocol/disco#info'/>">>).
-define(FEATURE, <<"<feature var='urn:ejabberd:twitter:relay:0'/>">>).
-define(COMMANDS, <<"<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>">>).
-define(COMMAND, "<item [^>]*node='twitter#[^>]*/>").
-define(ROW, <<"<item node='/twitter' name='Twitter' jid='pubsub.localhost'/>">>).

-type config() :: [{atom(), term()}].

%%% Servers and users

-spec start(config(), Name :: string()) -> config().
start(Config, Name) ->
    Dir = proplists:get_value(priv_dir, Config),
    {ok, Stock} = twitter_server:start(#{dir => Dir, name => Name ++ "_stock", plugin => false}),
    {ok, Plugin} = twitter_server:start(#{dir => Dir, name => Name ++ "_plugin"}),
    [{stock, Stock}, {plugin, Plugin} | Config].

-spec stop(config()) -> ok.
stop(Config) ->
    lists:foreach(fun twitter_server:stop/1, servers(Config)).

%% @doc Makes the same three new users on both servers: Alice and Bob are friends, Carol
%% knows nobody.
-spec enter(config()) -> ok.
enter(Config) ->
    lists:foreach(
        fun(Server) ->
            [Alice, Bob, _] = [twitter_users:register(Server, Name, Host) || {Name, Host} <- users()],
            ok = twitter_users:befriend(Server, Alice, Bob)
        end,
        servers(Config)
    ).

%% @doc Deletes them.
-spec leave(config()) -> ok.
leave(Config) ->
    lists:foreach(
        fun({Server, User}) -> ok = twitter_users:unregister(Server, User) end,
        [{Server, User} || Server <- servers(Config), User <- users()]
    ).

users() ->
    [{atom_to_binary(Who), <<"localhost">>} || Who <- [alice, bob, carol]].

servers(Config) ->
    [proplists:get_value(Name, Config) || Name <- [stock, plugin]].

%%% Comparing

%% @doc Plays the steps on both servers. What everybody gets is the same, but for the row of /twitter in
%% the list of the service, our commands in that of commands, and what the service says that it can do. `Reached' are those who get any message.
-spec compare(config(), Reached :: [atom()], [twitter_script:step()]) -> ok.
compare(Config, Reached, Steps) ->
    Users = maps:from_list(lists:zip([alice, bob, carol], users())),
    [Stock, Plugin] = [twitter_script:play(Server, Users, Steps) || Server <- servers(Config)],
    case twitter_script:differences(Stock, without_feature(without_commands(without_row(Plugin)))) of
        %% 24.12 no longer tells Alice, who does what others are told of, of that herself.
        [] -> Others = lists:delete(alice, Reached), Others = lists:delete(alice, reached(Stock)), ok;
        Differences -> error({differ_from_stock, Differences})
    end.

%% The list of the service has the row of /twitter, once, and no other answer has it.
without_row(Transcript) ->
    [
        case {binary:matches(Answer, ?ROW), Step} of
            {[{At, Length}], {ask, _, ?SERVICE, <<"get">>, ?LIST, result}} ->
                <<Before:At/binary, _:Length/binary, After/binary>> = Answer,
                {Step, empty(<<Before/binary, After/binary>>), Received};
            {[], {ask, _, ?SERVICE, <<"get">>, ?LIST, result}} ->
                error({no_row, Answer});
            {[], _} ->
                Entry
        end
     || {Step, Answer, Received} = Entry <- Transcript
    ].

%% The list of commands has ours after mod_pubsub's, and no other answer has them.
without_commands(Transcript) ->
    [
        case {re:replace(Answer, ?COMMAND, <<>>, [global, {return, binary}]), Step} of
            {Answer, {ask, _, ?SERVICE, <<"get">>, ?COMMANDS, result}} -> error({no_commands, Answer});
            {Without, {ask, _, ?SERVICE, <<"get">>, ?COMMANDS, result}} -> {Step, Without, Received};
            {Answer, _} -> {Step, Answer, Received}
        end
     || {Step, Answer, Received} <- Transcript
    ].

%% The service says last that it takes relays, and no other answer does.
without_feature(Transcript) ->
    [
        case {binary:matches(Answer, ?FEATURE), Step} of
            {[{At, Length}], {ask, _, ?SERVICE, <<"get">>, ?INFO, result}} ->
                <<Before:At/binary, _:Length/binary, After/binary>> = Answer,
                {Step, <<Before/binary, After/binary>>, Received};
            {[], {ask, _, ?SERVICE, <<"get">>, ?INFO, result}} ->
                error({no_feature, Answer});
            {[], _} ->
                Entry
        end
     || {Step, Answer, Received} = Entry <- Transcript
    ].

%% A list with no other row.
empty(Answer) ->
    binary:replace(Answer, <<"disco#items'></query>">>, <<"disco#items'/>">>).

%% Who got any message: two silent servers are alike, too.
reached(Transcript) ->
    lists:usort([
        Who
     || {_, _, Received} <- Transcript, {Who, Texts} <- Received, <<"<message", _/binary>> <- Texts
    ]).

%%% Words

-spec create(iodata()) -> iodata().
create(Node) -> [<<"<create node='">>, Node, <<"'/>">>].

-spec delete(iodata()) -> iodata().
delete(Node) -> [<<"<delete node='">>, Node, <<"'/>">>].

-spec get_items(iodata()) -> iodata().
get_items(Node) -> [<<"<items node='">>, Node, <<"'/>">>].

-spec publish(iodata(), iodata()) -> iodata().
publish(Node, Id) ->
    [
        <<"<publish node='">>, Node, <<"'><item id='">>, Id,
        <<"'><entry xmlns='http://www.w3.org/2005/Atom'><title>">>, Id,
        <<"</title></entry></item></publish>">>
    ].

-spec retract(iodata(), iodata()) -> iodata().
retract(Node, Id) ->
    [<<"<retract node='">>, Node, <<"' notify='1'><item id='">>, Id, <<"'/></retract>">>].

%% @doc The configuration of a node that is being made.
-spec configure([{atom(), atom() | integer() | binary()}]) -> iodata().
configure(Fields) -> configure(<<>>, Fields).

-spec configure(iodata(), [{atom(), atom() | integer() | binary()}]) -> iodata().
configure(Node, Fields) ->
    [
        <<"<configure">>, [[<<" node='">>, Node, $'] || Node =/= <<>>],
        <<"><x xmlns='jabber:x:data' type='submit'>">>,
        field(<<"FORM_TYPE">>, <<"http://jabber.org/protocol/pubsub#node_config">>),
        [field(["pubsub#", atom_to_list(Name)], value(Value)) || {Name, Value} <- Fields],
        <<"</x></configure>">>
    ].

value(Value) when is_atom(Value) -> atom_to_binary(Value);
value(Value) when is_integer(Value) -> integer_to_binary(Value);
value(Value) -> Value.

-spec field(iodata(), binary()) -> iodata().
field(Name, Value) ->
    ["<field var='", Name, "'><value>", fxml:crypt(Value), "</value></field>"].

-spec subscribe(iodata(), atom()) -> iodata().
subscribe(Node, Who) ->
    ["<subscribe node='", Node, "' jid='", atom_to_binary(Who), "@localhost'/>"].

